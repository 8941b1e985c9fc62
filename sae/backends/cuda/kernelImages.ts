/**
 * Compiled kernels, kept on disk per user under a hash of everything that decides them: source, included files, definitions,
 * compiler, options and architecture. An entry begins with the hash of its contents, so that one that is cut short or
 * damaged is compiled again instead of being loaded.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import type { Definitions, KernelCompiler } from './kernelCompiler.ts';
import type { KernelSource } from './kernelSource.ts';
import { makeFolder } from '../../store/makeFolder.ts';

const digestBytes = 32;

export function defaultImageFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope', 'cuda');
}

export class KernelImages {
  readonly #compiler: KernelCompiler;
  readonly #folder: string;
  /** How many were compiled by this process. */
  compiled = 0;

  constructor(compiler: KernelCompiler, folder = defaultImageFolder()) {
    this.#compiler = compiler;
    this.#folder = folder;
  }

  /** `fresh`: compile even if there is an entry, because the driver refused that. */
  image(source: KernelSource, define: Definitions, { fresh = false } = {}): Uint8Array {
    const path = join(this.#folder, `${this.#key(source, define)}.image`);
    const kept = fresh ? null : readImage(path);
    if (kept) return kept;
    const image = this.#compiler.compile(source, define);
    this.compiled++;
    this.#write(path, image);
    return image;
  }

  #key({ file, text, headers }: KernelSource, define: Definitions): string {
    const digest = createHash('sha256').update(`${this.#compiler.identity}\n${file}\n${text}`);
    for (const [name, header] of headers) digest.update(`\n${name}\n${header}`);
    return digest
      .update(JSON.stringify(sorted(define)))
      .digest('hex')
      .slice(0, 32);
  }

  #write(path: string, image: Uint8Array): void {
    const made = `${path}.${process.pid}`;
    try {
      makeFolder(this.#folder);
      writeFileSync(made, Buffer.concat([digestOf(image), image]));
      renameSync(made, path);
    } catch (cause) {
      if (existsSync(made)) rmSync(made);
      throw new LazyscopeError(
        'unavailable',
        `Backend cuda can't write its cache ${this.#folder}: set XDG_CACHE_HOME to a folder you may write.`,
        { cause },
      );
    }
  }
}

/** Definitions in a fixed order. */
export function sorted(define: Definitions): [string, number | string][] {
  return Object.entries(define).sort(([a], [b]) => (a < b ? -1 : 1));
}

function readImage(path: string): Uint8Array | null {
  let kept: Buffer;
  try {
    kept = readFileSync(path);
  } catch {
    return null;
  }
  const image = kept.subarray(digestBytes);
  return kept.length > digestBytes && digestOf(image).equals(kept.subarray(0, digestBytes)) ? image : null;
}

function digestOf(image: Uint8Array): Buffer {
  return createHash('sha256').update(image).digest();
}
