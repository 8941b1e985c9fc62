/**
 * A CUDA device in software: the driver's and cuBLASLt's functions answered by a shared library of ours (source/), and .cu
 * files compiled by the system's C++ compiler. It is for tests on machines without a GPU: it computes what a GPU would, and
 * complains of what a GPU would forgive. docs/CUDA.md says which faults it finds, and which it can't.
 *
 * LAZYSCOPE_CUDA_RACES=1 reports accesses to memory that nothing orders, and LAZYSCOPE_CUDA_SANITIZE=1 compiles library and
 * modules with the address and undefined-behaviour sanitizers; Node must then have been started with the sanitizers'
 * run-time in LD_PRELOAD. source/settings.h has the rest.
 */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LazyscopeError } from '../../../errors.ts';
import { compiledLibrary } from '../../native/compiledLibrary.ts';
import { findCompiler } from '../../native/compiler.ts';
import type { KernelCompiler } from '../kernelCompiler.ts';
import { moduleCompiler } from './moduleCompiler.ts';

const sourceFolder = join(dirname(fileURLToPath(import.meta.url)), 'source');

export interface SoftwareDevice {
  /** The path of a library with the functions of libcuda and of libcublasLt. */
  readonly library: string;
  readonly compiler: KernelCompiler;
  /** Whether every access of a kernel is checked against the memory that there is. */
  readonly checksAccesses: boolean;
}

const sanitizers: readonly string[] = [
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  '-fno-omit-frame-pointer',
  '-g1',
];
// The device's library has the functions that this instrumentation calls; the compiler's own run-time stays out.
const races: readonly string[] = ['-fsanitize=thread', '-DLAZYSCOPE_RACES', '-g1'];

/** Why there is no software device on this machine, as the end of “there is …”; null where there is one. */
export function missingForSoftwareDevice(): string | null {
  if (process.platform !== 'linux') return 'no software device for this system';
  return findCompiler() ? null : 'no C++ compiler';
}

/** Compiles the device's library unless the cache has it. Throws `unavailable` where there is no C++ compiler. */
export async function softwareDevice(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<SoftwareDevice> {
  const compiler = findCompiler();
  const missing = missingForSoftwareDevice();
  if (missing || !compiler)
    throw new LazyscopeError(
      'unavailable',
      `The software device of backend cuda does not work here, because there is ${missing}: install g++ or clang on Linux, or choose --backend native.`,
    );
  const sanitize = environment.LAZYSCOPE_CUDA_SANITIZE === '1' ? sanitizers : [];
  const moreFlags = environment.LAZYSCOPE_CUDA_RACES === '1' ? races : sanitize;
  const cache = join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope', 'cuda-software');
  const library = await compiledLibrary(compiler, sourceFolder, cache, sanitize);
  return {
    library,
    compiler: moduleCompiler(compiler, { headers: sourceFolder, cache, moreFlags }),
    checksAccesses: moreFlags.length > 0,
  };
}
