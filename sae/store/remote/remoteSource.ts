/** What a store that lies elsewhere is to its copy on this disk: a list of files, and their content. */

export interface RemoteFile {
  /** Relative to the store, with slashes. */
  path: string;
  bytes: number;
  /** Another one whenever the content is another: a checksum, or the tag that the server gives it. */
  version: string;
}

export interface RemoteSource {
  /** The address, as it is shown. */
  readonly url: string;
  /** Names the folder of its cache, beside a hash of `identity`. */
  readonly host: string;
  /** Tells two stores apart. */
  readonly identity: string;
  /** The files that there are, or those whose paths begin with `below`, where the source knows how to ask for these alone. Throws what asking for them throws. */
  files(below?: string): Promise<readonly RemoteFile[]>;
  /**
   * Writes a file to `into`, going on after the bytes that are there where they are of the same version. When it returns, `into` is whole and its
   * checksum compared where there is one. Returns which file came, where that may have changed since it was listed; undefined once it is gone.
   */
  download(file: RemoteFile, into: string): Promise<RemoteFile | undefined>;
  /** Whether a file of this disk has the content that a file of the store has. */
  isSame(file: RemoteFile, place: string): Promise<boolean>;
}
