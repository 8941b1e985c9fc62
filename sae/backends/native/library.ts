/**
 * The native library: everything under source/ compiled with the system compiler for this very CPU, on
 * first use, and loaded through koffi. The result is cached per user under a hash of sources, flags,
 * compiler and CPU features, because a shared home or checkout must not run one machine's instructions on
 * another. Other modules bind their own functions from it.
 */
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import { compiledLibrary } from './compiledLibrary.ts';
import { findCompiler } from './compiler.ts';

export interface NativeLibrary {
  /** The loaded file. */
  readonly path: string;
  readonly compiler: string;
  /**
   * A C function by its prototype, for example `void lazyscope_set_threads(int32_t count)`. Typed arrays
   * passed for pointers are not copied: the function reads and writes their memory.
   */
  bind<Args extends readonly unknown[], Result = void>(prototype: string): (...args: Args) => Result;
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
  try {
    const library = koffi.load(path);
    const bound: NativeLibrary = {
      path,
      compiler: compiler.version,
      bind: (prototype) => library.func(prototype),
    };
    bound.bind<[number]>('void lazyscope_set_threads(int32_t count)')(defaultThreads());
    return bound;
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
