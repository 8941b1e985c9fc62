/**
 * The native library: everything under source/ compiled with the system compiler for this very CPU, on
 * first use, and loaded through koffi. The result is cached per user under a hash of sources, flags,
 * compiler and CPU features, because a shared home or checkout must not run one machine's instructions on
 * another. What it exports, source/lazyscope.h says.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import { bindFunctions } from './bindFunctions.ts';
import { compiledLibrary } from './compiledLibrary.ts';
import { findCompiler } from './compiler.ts';
import { parseHeader } from './header.ts';
import type { NativeFunctions } from './nativeFunctions.ts';

export interface NativeLibrary {
  /** The loaded file. */
  readonly path: string;
  readonly compiler: string;
  /**
   * The C functions. Typed arrays passed for pointers are not copied: the function reads and writes their memory.
   * Each call throws a TypeError when an argument is not what the header says.
   */
  readonly functions: NativeFunctions;
}

const sourceFolder = join(dirname(fileURLToPath(import.meta.url)), 'source');

let loading: Promise<NativeLibrary> | undefined;

/** Builds the library if it isn't in the cache, and loads it once a process. */
export function nativeLibrary(): Promise<NativeLibrary> {
  loading ??= build().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function build(): Promise<NativeLibrary> {
  const compiler = findCompiler();
  if (!compiler)
    throw new LazyscopeError(
      'unavailable',
      "Backend native can't start: no C++ compiler (tried $CXX, c++, g++, clang++). Install g++ or clang, or choose --backend wasm.",
    );
  const path = await compiledLibrary(compiler, sourceFolder, cacheFolder());
  const header = parseHeader(readFileSync(join(sourceFolder, 'lazyscope.h'), 'utf8'));
  try {
    const functions = bindFunctions(koffi.load(path), header);
    functions.setThreads(defaultThreads());
    return { path, compiler: compiler.version, functions };
  } catch (cause) {
    throw new LazyscopeError('unavailable', `Backend native can't load ${path}: delete it and try again.`, {
      cause,
    });
  }
}

/** LAZYSCOPE_THREADS, or the cores this process may use. */
export function defaultThreads(): number {
  const wanted = process.env.LAZYSCOPE_THREADS;
  if (!wanted) return availableParallelism();
  const threads = Number(wanted);
  if (!Number.isInteger(threads) || threads < 1)
    throw new LazyscopeError('bad_input', `LAZYSCOPE_THREADS must be a positive integer but is ${wanted}.`);
  return threads;
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope', 'native');
}
