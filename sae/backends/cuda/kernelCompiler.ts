import type { KernelSource } from './kernelSource.ts';

/** Compile-time constants of a kernel, for the compiler's -D. */
export type Definitions = Readonly<Record<string, number | string>>;

/** What makes an image that the device's driver loads out of a .cu file. */
export interface KernelCompiler {
  /** Everything that decides the image besides source and definitions: compiler, version, options, architecture. */
  readonly identity: string;
  /** Throws `unavailable` with the compiler's words. */
  compile(source: KernelSource, define: Definitions): Uint8Array;
}
