/**
 * A published store behind an address: its listing, and its files in ranges. No other host than the given one is asked, and nothing is
 * believed that the listing doesn't say.
 */
import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import { storeListingKind, type StoreListing } from '../../spec/manifests/storeListing.ts';
import { writeAll } from '../atomicWrite.ts';
import { explainWriteError } from '../explainWriteError.ts';
import { parseManifest } from '../readManifest.ts';
import { checkPaths } from './checkPaths.ts';
import type { RemoteFile, RemoteSource } from './remoteSource.ts';
import { fileChecksum } from '../fileChecksum.ts';

/** A listing of some three hundred thousand files. */
const mostListingBytes = 64 << 20;
const mostRedirects = 5;
const attempts = 4;
const redirects = [301, 302, 303, 307, 308];
/** Answers after which the same question may get another one. */
const passing = [408, 425, 429, 500, 502, 503, 504];

export interface HttpSourceOptions {
  /** Milliseconds without a byte after which a request is given up; half a minute when absent. */
  patience?: number;
  /** Milliseconds before the second attempt, four times as long before each later one; a quarter of a second when absent. */
  firstWait?: number;
  signal?: AbortSignal | undefined;
}

/** What may be tried again. */
class Interrupted extends Error {
  readonly explained: LazyscopeError;

  constructor(explained: LazyscopeError) {
    super(explained.message);
    this.explained = explained;
  }
}

export class HttpSource implements RemoteSource {
  /** The address of the store, which ends with a slash. */
  readonly url: string;
  readonly #base: URL;
  readonly #options: HttpSourceOptions;

  /** Throws `bad_input` for what isn't an http or https address without password, parameters and fragment. */
  constructor(address: string, options: HttpSourceOptions = {}) {
    if (!URL.canParse(address))
      throw new LazyscopeError(
        'bad_input',
        `'${address}' is not an address: give one like https://host/path.`,
      );
    const url = new URL(address);
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new LazyscopeError(
        'bad_input',
        `'${url.protocol}//' is not read as a store: give an address that begins with https:// or http://, or a folder.`,
      );
    if (url.username || url.password || url.search || url.hash)
      throw new LazyscopeError(
        'bad_input',
        `The address of a store at '${url.host}' can have neither a password nor parameters: give the plain address of its folder.`,
      );
    if (!url.pathname.endsWith('/')) url.pathname += '/';
    this.#base = url;
    this.url = url.href;
    this.#options = options;
  }

  /**
   * The files of the store. Throws `not_found` where there is no listing, `unavailable` when the host doesn't answer as it should, and
   * `corrupt`, `newer` or `bad_input` for a listing that can't be believed.
   */
  async listing(): Promise<StoreListing> {
    const address = this.#addressOf('store.json');
    const chunks: Uint8Array[] = [];
    await this.#persistently(async () => {
      chunks.length = 0;
      let bytes = 0;
      await this.#get(address, 0, (chunk) => {
        bytes += chunk.length;
        if (bytes > mostListingBytes)
          throw new LazyscopeError(
            'bad_input',
            `'${address.href}' has more than ${mostListingBytes} bytes: no store's listing is that long.`,
          );
        chunks.push(chunk);
      });
    });
    const text = Buffer.concat(chunks).toString('utf8');
    const listing = parseManifest(text, address.href, storeListingKind);
    checkPaths(listing.files, `'${address.href}'`, "write it again with 'lazyscope store index'");
    return listing;
  }

  get host(): string {
    return this.#base.hostname;
  }

  get identity(): string {
    return this.url;
  }

  /** Those of the listing, whose checksums are their versions. Throws as `listing` does. */
  async files(): Promise<RemoteFile[]> {
    return (await this.listing()).files.map(({ path, bytes, sha256 }) => ({ path, bytes, version: sha256 }));
  }

  async isSame({ bytes, version }: RemoteFile, place: string): Promise<boolean> {
    return (await stat(place)).size === bytes && (await fileChecksum(place)) === version;
  }

  /**
   * Writes a file to `into`, going on after the bytes that are there. When it returns, `into` has the size and checksum of the listing; the
   * caller renames it. Throws `corrupt` when the host has another content (and removes it), `unavailable`, `not_found`, `no_space`, `cancelled`.
   */
  async download(file: RemoteFile, into: string): Promise<RemoteFile> {
    for (;;) {
      const before = (await stat(into).catch(() => undefined))?.size ?? 0;
      if (before > file.bytes) await rm(into);
      await this.#persistently(() => this.#append(file, into));
      if ((await fileChecksum(into)) === file.version) return file;
      await rm(into);
      // What an interrupted download left may be of another content than what came now.
      if (before > 0 && before <= file.bytes) continue;
      throw this.#changed(file);
    }
  }

  async #append(file: RemoteFile, into: string): Promise<void> {
    const handle = await open(into, 'a').catch((error: unknown) => {
      throw explainWriteError(error, into);
    });
    try {
      let at = (await handle.stat()).size;
      if (at >= file.bytes) return;
      await this.#get(
        this.#addressOf(file.path),
        at,
        async (chunk) => {
          at += chunk.length;
          if (at > file.bytes) throw this.#changed(file);
          await writeAll(handle, chunk);
        },
        async () => {
          // The host knows no ranges and begins again.
          at = 0;
          await handle.truncate(0);
        },
      );
      if (at < file.bytes)
        throw new Interrupted(
          new LazyscopeError(
            'unavailable',
            `'${this.#addressOf(file.path).href}' ended after ${at} of ${file.bytes} bytes: try again later.`,
          ),
        );
      await handle.sync();
    } catch (error) {
      // More than there should be is of no use to go on with.
      if (isLazyscopeError(error) && error.code === 'corrupt') await handle.truncate(0);
      throw error instanceof Interrupted ? error : explainWriteError(error, into);
    } finally {
      await handle.close();
    }
  }

  #changed({ path }: RemoteFile): LazyscopeError {
    return new LazyscopeError(
      'corrupt',
      `'${this.#addressOf(path).href}' is not the file that store.json lists: whoever publishes it writes the listing again with 'lazyscope store index'.`,
    );
  }

  #addressOf(path: string): URL {
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.#base);
  }

  async #persistently(work: () => Promise<void>): Promise<void> {
    const { firstWait = 250, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal?.aborted) throw new LazyscopeError('cancelled', 'Fetching was stopped.', { cause: error });
        if (!(error instanceof Interrupted)) throw error;
        if (attempt === attempts) throw error.explained;
        await wait(firstWait * 4 ** (attempt - 1), undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Hands over the bytes from `from` on. `restart` is called where the host sends all of them instead. */
  async #get(
    address: URL,
    from: number,
    take: (chunk: Uint8Array) => void | Promise<void>,
    restart?: () => Promise<void>,
  ): Promise<void> {
    const { patience = 30_000, signal } = this.#options;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), patience);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), patience);
    };
    try {
      const response = await this.#follow(
        address,
        from,
        signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      );
      heard();
      if (from > 0 && response.status === 200) await restart?.();
      else if (response.status === 206 && rangeStart(response) !== from)
        throw this.#refused(address, `answered with another range than was asked for`);
      for await (const chunk of response.body ?? []) {
        heard();
        await take(chunk);
      }
    } catch (error) {
      if (isLazyscopeError(error) || error instanceof Interrupted || signal?.aborted) throw error;
      if (isWriteError(error)) throw error;
      throw new Interrupted(
        silence.signal.aborted
          ? new LazyscopeError(
              'unavailable',
              `'${address.host}' sent nothing for ${patience / 1000} s: try again later.`,
              { cause: error },
            )
          : new LazyscopeError(
              'unavailable',
              `'${address.host}' can't be reached (${reasonOf(error)}): check the address and the network.`,
              { cause: error },
            ),
      );
    } finally {
      clearTimeout(timer);
      // Ends the connection where the answer was not read to its end.
      silence.abort();
    }
  }

  async #follow(address: URL, from: number, signal: AbortSignal): Promise<Response> {
    let at = address;
    for (let hop = 0; hop <= mostRedirects; hop++) {
      const response = await fetch(at, {
        // Compressed answers have no ranges, and other lengths.
        headers: { range: `bytes=${from}-`, 'accept-encoding': 'identity' },
        redirect: 'manual',
        signal,
      });
      const { status } = response;
      const location = response.headers.get('location');
      if (redirects.includes(status) && location !== null && URL.canParse(location, at)) {
        const next = new URL(location, at);
        if (next.origin !== this.#base.origin)
          throw this.#refused(
            at,
            `leads to '${next.origin}', and no other host than the given one is asked: give that address if you trust it`,
          );
        await response.body?.cancel();
        at = next;
        continue;
      }
      if (status === 200 || status === 206) return response;
      if (status === 404 || status === 410)
        throw new LazyscopeError(
          'not_found',
          address.pathname === `${this.#base.pathname}store.json`
            ? `There is no store at '${this.url}': its folder must have the store.json that 'lazyscope store index' writes.`
            : `'${address.href}' is gone although store.json lists it: whoever publishes it writes the listing again with 'lazyscope store index'.`,
        );
      const refusal = this.#refused(address, `answered ${status}`);
      throw passing.includes(status) ? new Interrupted(refusal) : refusal;
    }
    throw this.#refused(address, `leads from one address to the next more than ${mostRedirects} times`);
  }

  #refused(address: URL, what: string): LazyscopeError {
    return new LazyscopeError('unavailable', `'${address.href}' ${what}: check the address of the store.`);
  }
}

function rangeStart(response: Response): number | undefined {
  const [, start] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  return start === undefined ? undefined : Number(start);
}

/** Of the disk, not of the network. */
function isWriteError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write' && !('address' in error);
}

function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error);
}
