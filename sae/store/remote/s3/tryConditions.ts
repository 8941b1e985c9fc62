import { randomBytes } from 'node:crypto';
import { LazyscopeError } from '../../../errors.ts';
import { triedKeys, type Bucket, type Condition } from './bucket.ts';
import { ObjectChanged } from './bucketErrors.ts';

/**
 * Writes an object, tries to write it again under two conditions that don't hold, and removes it: a server that ignores conditions would let two
 * writers overwrite one another, and neither would know. Throws 'unavailable' for such a server.
 */
export async function tryConditions(bucket: Bucket): Promise<void> {
  const key = `${triedKeys}${randomBytes(8).toString('hex')}`;
  const isRefused = async (condition: Condition) => {
    try {
      await bucket.put(key, 'other', condition);
      return false;
    } catch (error) {
      if (error instanceof ObjectChanged) return true;
      throw error;
    }
  };
  await bucket.put(key, 'one', 'absent');
  try {
    if ((await isRefused('absent')) && (await isRefused({ etag: '0'.repeat(32) }))) return;
  } finally {
    await bucket.remove(key);
  }
  throw new LazyscopeError(
    'unavailable',
    `'${bucket.server}' ignores the conditions under which files are written (If-None-Match, If-Match), so that two writers would overwrite one another unseen: work on a folder, which 'lazyscope store fetch ${bucket.address.url} --data FOLDER' makes of what is there.`,
  );
}
