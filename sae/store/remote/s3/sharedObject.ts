import { createHash } from 'node:crypto';
import type { Bucket } from './bucket.ts';
import { ObjectChanged } from './bucketErrors.ts';
import { tryConditions } from './tryConditions.ts';

/** One small object that several processes write, each only over what it knows. */
export interface SharedObject {
  /** Its address, for messages. */
  readonly shown: string;
  /** Another one whenever the content is another; undefined where there is none. Throws 'unavailable'. */
  version(): Promise<string | undefined>;
  /** Undefined where there is none. Throws 'unavailable'. */
  read(): Promise<{ text: string; version: string } | undefined>;
  /** Writes it where it is still the known one, or where there still is none. Returns its version; undefined where another has written it. Throws 'unavailable'. */
  write(text: string, known: string | undefined): Promise<string | undefined>;
}

/** `key` is below the prefix of the bucket. */
export function sharedObject(bucket: Bucket, key: string): SharedObject {
  let obeys: Promise<void> | undefined;
  return {
    shown: bucket.shown(key),
    version: async () => (await bucket.head(key))?.etag,
    async read() {
      const found = await bucket.text(key);
      return found && { text: found.text, version: found.etag };
    },
    async write(text, known) {
      await (obeys ??= tryConditions(bucket));
      try {
        return await bucket.put(key, text, known === undefined ? 'absent' : { etag: known });
      } catch (error) {
        if (!(error instanceof ObjectChanged)) throw error;
        // It may be this process's own, of which the answer was lost.
        const found = await bucket.head(key);
        return found?.sha256 === createHash('sha256').update(text).digest('hex') ? found.etag : undefined;
      }
    },
  };
}
