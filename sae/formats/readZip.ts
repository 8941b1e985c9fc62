/** A zip in memory, checked. */
import { unzipSync } from 'fflate';
import { readFile } from 'node:fs/promises';
import { LazyscopeError } from '../errors.ts';

/** Files by name. Throws `not_found`, or `corrupt` naming the zip. */
export async function readZip(path: string): Promise<Map<string, Uint8Array>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the path.`, { cause: error });
  }
  try {
    return new Map(Object.entries(unzipSync(bytes)));
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not a whole zip file: fetch it again.`, {
      cause: error,
    });
  }
}
