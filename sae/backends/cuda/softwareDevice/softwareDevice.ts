/**
 * A CUDA device in software: the driver's and cuBLASLt's functions answered by a shared library of ours (source/), and .cu
 * files compiled by the system's C++ compiler. It is for tests on machines without a GPU: it computes what a GPU would, and
 * complains of what a GPU would forgive. docs/CUDA.md says which faults it finds and which it can't.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LazyscopeError } from '../../../errors.ts';
import { compiledLibrary } from '../../native/compiledLibrary.ts';
import { type Compiler, findCompiler } from '../../native/compiler.ts';
import { type CudaSource, moduleSource } from './moduleSource.ts';

const sourceFolder = join(dirname(fileURLToPath(import.meta.url)), 'source');

export interface SoftwareDevice {
  /** The path of a library with the functions of libcuda and of libcublasLt. */
  readonly library: string;
  readonly compiler: ModuleCompiler;
}

/** Makes the image of a .cu file that the software device loads. */
export interface ModuleCompiler {
  /** Whatever decides an image besides source and definitions. */
  readonly identity: string;
  /** Throws `unavailable` with the compiler's words. */
  compile(source: CudaSource, define: Readonly<Record<string, number | string>>): Uint8Array;
}

/** Compiles the device's library unless the cache has it. Throws `unavailable` where there is no C++ compiler. */
export async function softwareDevice(): Promise<SoftwareDevice> {
  const compiler = findCompiler();
  if (!compiler)
    throw new LazyscopeError(
      'unavailable',
      'The software device of backend cuda needs a C++ compiler (tried $CXX, c++, g++, clang++): install g++ or clang.',
    );
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope', 'cuda-software');
  const library = await compiledLibrary(compiler, sourceFolder, cache);
  return { library, compiler: moduleCompiler(compiler, cache) };
}

const moduleFlags: readonly string[] = [
  '-std=c++17',
  '-O2',
  process.arch === 'arm64' && process.platform === 'darwin' ? '-mcpu=native' : '-march=native',
  '-fPIC',
  '-shared',
  ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : ['-nostdlib']),
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-ffp-contract=fast',
  '-Wall',
  '-Werror',
  // #pragma unroll is for NVRTC.
  '-Wno-unknown-pragmas',
  // NVRTC has no such warning.
  '-Wno-sign-compare',
];

function moduleCompiler(compiler: Compiler, cache: string): ModuleCompiler {
  const model = createHash('sha256');
  for (const name of readdirSync(sourceFolder)
    .filter((name) => name.endsWith('.h'))
    .sort())
    model.update(`${name}\n`).update(readFileSync(join(sourceFolder, name)));
  const identity = `software device ${compiler.command} ${compiler.version} ${moduleFlags.join(' ')} ${model.digest('hex')}`;
  return {
    identity,
    compile(source, define) {
      const files = moduleSource(source);
      const definitions = Object.entries(define).map(([name, value]) => `-D${name}=${value}`);
      const key = createHash('sha256').update(JSON.stringify([identity, [...files], definitions.sort()]));
      const path = join(cache, `${source.file.replace(/\W/g, '-')}-${key.digest('hex').slice(0, 24)}.so`);
      mkdirSync(cache, { recursive: true });
      const work = mkdtempSync(join(cache, 'compiling-'));
      try {
        for (const [name, text] of files) writeFileSync(join(work, name), text);
        const made = join(work, 'module.so');
        const args = [
          ...moduleFlags,
          ...definitions,
          '-I',
          work,
          '-I',
          sourceFolder,
          join(work, 'module.cc'),
          '-o',
          made,
        ];
        const { status, stderr, error } = spawnSync(compiler.command, args, {
          encoding: 'utf8',
          maxBuffer: 2 ** 26,
        });
        if (status !== 0) throw rejected(source.file, compiler, stderr || String(error), args);
        renameSync(made, path);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
      return Buffer.from(`${path}\0`);
    },
  };
}

function rejected(
  file: string,
  { command }: Compiler,
  output: string,
  args: readonly string[],
): LazyscopeError {
  const line = output.split('\n').find((l) => /error/i.test(l)) ?? output.split('\n')[0];
  return new LazyscopeError(
    'unavailable',
    `The software device can't compile ${file} with ${command} (${line.trim()}): correct the kernel.`,
    { cause: new Error(`${command} ${args.join(' ')}\n${output}`) },
  );
}
