/**
 * The native library: everything under source/ compiled with the system compiler for this very CPU, on
 * first use, and loaded through koffi. The result is cached per user under a hash of sources, flags,
 * compiler and CPU features, because a shared home or checkout must not run one machine's instructions on
 * another. Other modules bind their own functions from it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import { compileFlags, findCompiler, runCompiler, type Compiler } from './compiler.ts';

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
  const path = await compiledLibrary(compiler);
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

/**
 * The path of the compiled library. Objects and library are written under another name and renamed, so
 * that two processes compiling at once both end with a whole file.
 */
async function compiledLibrary(compiler: Compiler): Promise<string> {
  const files = readdirSync(sourceFolder)
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort();
  const contents = new Map(files.map((name) => [name, readFileSync(join(sourceFolder, name))]));
  const common = [compileFlags.join(' '), compiler.command, compiler.version, cpuFeatures()];
  const hash = (names: readonly string[]) => {
    const digest = createHash('sha256').update(common.join('\n'));
    for (const name of names) digest.update(`\n${name}\n`).update(contents.get(name) ?? '');
    return digest.digest('hex').slice(0, 24);
  };
  const folder = cacheFolder();
  const extension = process.platform === 'darwin' ? 'dylib' : 'so';
  const path = join(folder, `${hash(files)}.${extension}`);
  if (existsSync(path)) return path;

  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new LazyscopeError(
      'unavailable',
      `Backend native can't write its cache ${folder}: set XDG_CACHE_HOME to a folder you may write.`,
      { cause },
    );
  }
  const headers = files.filter((name) => name.endsWith('.h'));
  /** Compiles to `target` unless it exists already. */
  const make = async (target: string, args: readonly string[]) => {
    if (existsSync(target)) return;
    const temporary = `${target}.${process.pid}.${randomUUID()}`;
    try {
      await runCompiler(compiler, [...compileFlags, ...args, '-o', temporary]);
      renameSync(temporary, target);
    } finally {
      rmSync(temporary, { force: true });
    }
  };
  const pending = files.filter((name) => name.endsWith('.cc'));
  const objects = new Map(pending.map((name) => [name, join(folder, `${hash([name, ...headers])}.o`)]));
  const queue = [...objects];
  const worker = async () => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      await make(next[1], ['-c', join(sourceFolder, next[0])]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  await make(path, ['-shared', ...objects.values()]);
  return path;
}

/** What the compiler looks at for -march=native. */
function cpuFeatures(): string {
  if (process.platform === 'darwin') {
    const answer = spawnSync('sysctl', ['-a'], { encoding: 'utf8', maxBuffer: 1 << 24 });
    return (answer.stdout ?? '')
      .split('\n')
      .filter((l) => /^(machdep\.cpu\.(brand|.*features)|hw\.optional)/.test(l))
      .join('\n');
  }
  const model = cpus()[0]?.model ?? '';
  try {
    const line = readFileSync('/proc/cpuinfo', 'utf8')
      .split('\n')
      .find((l) => /^(flags|Features)\s*:/.test(l));
    return `${process.arch} ${model} ${line ?? ''}`;
  } catch {
    return `${process.arch} ${model}`;
  }
}
