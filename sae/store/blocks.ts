/**
 * Work in blocks that several processes share. Each block is a file of `parts/<key>/`, where the key is a checksum of everything that the
 * block's numbers depend on: it appears whole or not at all, whoever makes it makes the same bytes, and whoever needs it and doesn't find it
 * makes it. So a part can be stopped, repeated or left out, and two processes may do the same one.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSafetensors, writeSafetensors, type SafetensorsFile } from '../formats/safetensors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { isOfPart, printPart, type Part } from '../spec/part.ts';
import type { StoreLayout } from './layout.ts';
import { removeStored } from './remote/bringIn.ts';

/** What a block holds: flat arrays by name. */
export type BlockArrays = Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>;

/** A piece of work whose size follows from the data. */
export interface Block<Arrays extends BlockArrays = BlockArrays> {
  /** Letters, digits and dashes. */
  readonly name: string;
  make(): Arrays | Promise<Arrays>;
}

const ends = '.safetensors';

/** The blocks of one piece of work that there are. */
export class BlockFolder {
  readonly path: string;
  readonly #files: Map<string, SafetensorsFile>;

  private constructor(path: string, files: Map<string, SafetensorsFile>) {
    this.path = path;
    this.#files = files;
  }

  /** Without a folder there are no blocks. */
  static async open(path: string): Promise<BlockFolder> {
    const files = new Map<string, SafetensorsFile>();
    for (const file of existsSync(path) ? await readdir(path) : []) {
      if (file.startsWith('.') || !file.endsWith(ends)) continue;
      // A damaged one counts as missing, and is made again.
      const read = await readSafetensors(join(path, file)).catch(() => undefined);
      if (read) files.set(file.slice(0, -ends.length), read);
    }
    return new BlockFolder(path, files);
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** The block's arrays, where a part has left them and they are as they were written. */
  read<Arrays extends BlockArrays>({ name }: Pick<Block<Arrays>, 'name'>): Arrays | undefined {
    const file = this.#files.get(name);
    if (!file) return undefined;
    const arrays = Object.fromEntries(file.names.map((array) => [array, read(file, array)]));
    // Only blocks are written there, by the same code that reads them.
    return file.metadata['sha256'] === checksum(arrays) ? (arrays as Arrays) : undefined;
  }

  /** The block's arrays, made where they aren't there. */
  async take<Arrays extends BlockArrays>(block: Block<Arrays>): Promise<Arrays> {
    return this.read(block) ?? block.make();
  }

  /** Makes the blocks of a part that aren't there yet. Gives the number of them all, and of those that were made. */
  async make(
    blocks: Iterable<Block>,
    part: Part,
    { report = silent, signal }: { report?: Report | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<{ blocks: number; made: number }> {
    const own = [...blocks].filter((_, at) => isOfPart(at, part));
    let made = 0;
    for (const [done, block] of own.entries()) {
      if (!this.has(block.name) || !this.read(block)) {
        const arrays = await block.make();
        const tensors = Object.entries(arrays).map(([name, data]) => [name, { shape: [data.length], data }]);
        await writeSafetensors(join(this.path, block.name + ends), Object.fromEntries(tensors), {
          sha256: checksum(arrays),
        });
        made++;
      }
      report({ stage: `part ${printPart(part)}`, done: done + 1, total: own.length, unit: 'blocks' });
      await pause(signal, `making part ${printPart(part)}`);
    }
    return { blocks: own.length, made };
  }
}

/** Where the blocks of one piece of work lie. `facts` is everything that their numbers depend on. */
export function blockPath(store: StoreLayout, kind: string, facts: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 24);
  return store.partsOf(`${kind}-${digest}`);
}

/** Removes blocks, once what they are for is written. */
export async function removeBlocks(path: string): Promise<void> {
  await removeStored(path);
  // The folder of all parts goes with the last of them.
  await rmdir(dirname(path)).catch(() => {});
}

/** The blocks of one piece of work where there may be any: `facts` can take long to read, and mostly there are none. */
export async function blocksLeft(
  store: StoreLayout,
  kind: string,
  facts: () => Promise<unknown>,
): Promise<BlockFolder | undefined> {
  if (!existsSync(store.parts())) return undefined;
  const path = blockPath(store, kind, await facts());
  return existsSync(path) ? BlockFolder.open(path) : undefined;
}

/** The block's arrays, from the folder or made. */
export function takeBlock<Arrays extends BlockArrays>(
  folder: BlockFolder | undefined,
  block: Block<Arrays>,
): Promise<Arrays> {
  return folder ? folder.take(block) : Promise.resolve(block.make());
}

function read(file: SafetensorsFile, name: string): BlockArrays[string] {
  switch (file.dtype(name)) {
    case 'F64':
      return file.float64(name);
    case 'I32':
      return file.int32(name);
    case 'U8':
      return new Uint8Array(file.bytes(name));
    default:
      return file.float32(name);
  }
}

function checksum(arrays: BlockArrays): string {
  const hash = createHash('sha256');
  for (const [name, { buffer, byteOffset, byteLength, length }] of Object.entries(arrays)) {
    hash.update(`${name} ${length}\0`);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
