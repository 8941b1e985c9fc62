/**
 * What a kind of JSON document in the store is described by. Writing is strict and reading tolerant: a writer is held to the
 * schema of its own version, a reader keeps keys it has never heard of, brings older versions up to date, and says of a newer
 * version that it is newer, which is not damage.
 */
import type { z } from 'zod';

/** A document as it stands in its file, before it is checked. */
export type RawDocument = Readonly<Record<string, unknown>>;

/** A kind of JSON document of the store. */
export interface ManifestKind<Document extends { version: number }> {
  /** What the document is called in messages: "a run". */
  readonly name: string;
  /** What to do about a damaged one, as the end of a sentence. */
  readonly remedy: string;
  /** What this Lazyscope writes; a document without a version counts as version 1. */
  readonly version: number;
  /**
   * Of `version`, in strict objects. It checks and changes nothing (no defaults, no transforms): what was read is what the file
   * says. Unions must be discriminated, so that an unknown key inside one can be told from a wrong value.
   */
  readonly schema: z.ZodType<Document, Document>;
  /** By the version it starts from, what makes a document one version newer. One for every version before this one. */
  readonly upgrades: Readonly<Record<number, (older: RawDocument) => RawDocument>>;
}
