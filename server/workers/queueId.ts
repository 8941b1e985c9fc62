/**
 * The name under which a data folder's jobs are kept in Redis. It is a file of the data folder, so that workers on other machines,
 * which see the folder under another path, find the jobs of this folder and never those of another one. Of a store in a bucket it is an object there.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { LazyscopeError } from '../../sae/errors.ts';
import { explainWriteError } from '../../sae/store/explainWriteError.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { sharedOf } from '../../sae/store/remote/bringIn.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

/** Hidden, and so no file of the store. */
const sharedName = '.queue-id';

/** Makes the file where there is none. Throws 'corrupt' for one that holds no name. */
export async function makeQueueId(store: StoreLayout): Promise<string> {
  const path = store.queueId();
  const shared = sharedOf(path, sharedName);
  const id = randomBytes(8).toString('hex');
  if (shared) {
    // Where another one has made it meanwhile, that one counts.
    if (!(await shared.read())) await shared.write(`${id}\n`, undefined);
    return checked((await shared.read())?.text ?? '', shared.shown);
  }
  try {
    makeFolder(store.root);
    await writeFile(path, `${id}\n`, { flag: 'wx' });
  } catch (error) {
    if (!existsSync(path)) throw explainWriteError(error, path);
  }
  return read(path);
}

/** Throws 'not_found' where nobody has put jobs of this folder into a queue yet. */
export async function readQueueId(store: StoreLayout): Promise<string> {
  const path = store.queueId();
  const shared = sharedOf(path, sharedName);
  const found = await shared?.read();
  if (shared && found) return checked(found.text, shared.shown);
  if (shared || !existsSync(path))
    throw new LazyscopeError(
      'not_found',
      `'${store.root}' is not the data folder of a queue: start 'lazyscope serve --queue …' or 'lazyscope train … --queue …' on it first, or give with --data the folder that they have.`,
    );
  return read(path);
}

async function read(path: string): Promise<string> {
  return checked(await readFile(path, 'utf8'), path);
}

function checked(text: string, path: string): string {
  const id = text.trim();
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new LazyscopeError(
      'corrupt',
      `'${path}' holds no name of a queue: delete it, and start server and workers again.`,
    );
  return id;
}
