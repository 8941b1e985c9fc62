/** Compiles .cu files into shared libraries that the software device loads as modules. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LazyscopeError } from '../../../errors.ts';
import type { Compiler } from '../../native/compiler.ts';
import type { KernelCompiler } from '../kernelCompiler.ts';
import type { KernelSource } from '../kernelSource.ts';
import { moduleSource } from './moduleSource.ts';
import { makeFolder } from '../../../store/makeFolder.ts';

const flags: readonly string[] = [
  '-std=c++17',
  '-O2',
  '-march=native',
  '-fPIC',
  '-shared',
  // What a module calls, the device's library and the process have.
  '-nostdlib',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-ffp-contract=fast',
  '-Wall',
  '-Werror',
  // #pragma unroll is for NVRTC, which in turn has no warning about signs.
  '-Wno-unknown-pragmas',
  '-Wno-sign-compare',
];

export interface ModuleCompilerOptions {
  /** Where the device's headers are. */
  readonly headers: string;
  readonly cache: string;
  readonly moreFlags: readonly string[];
}

/** Its images are the paths of the libraries, with a final NUL. */
export function moduleCompiler(compiler: Compiler, options: ModuleCompilerOptions): KernelCompiler {
  const all = [...flags, ...options.moreFlags];
  const identity = `software device ${compiler.command} ${compiler.version} ${all.join(' ')} ${digestOfHeaders(options.headers)}`;
  return {
    identity,
    compile(source, define) {
      const files = moduleSource(source);
      const definitions = Object.entries(define).map(([name, value]) => `-D${name}=${value}`);
      const key = createHash('sha256').update(JSON.stringify([identity, [...files], definitions.sort()]));
      const name = source.file.replace(/\W/g, '-');
      const path = join(options.cache, `${name}-${key.digest('hex').slice(0, 24)}.so`);
      makeFolder(options.cache);
      const work = mkdtempSync(join(options.cache, 'compiling-'));
      try {
        for (const [file, text] of files) writeFileSync(join(work, file), text);
        const made = join(work, 'module.so');
        const includes = ['-I', work, '-I', options.headers];
        run(compiler, source, [
          ...all,
          ...definitions,
          ...includes,
          '-x',
          'c++',
          join(work, source.file),
          '-o',
          made,
        ]);
        renameSync(made, path);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
      return Buffer.from(`${path}\0`);
    },
  };
}

function digestOfHeaders(folder: string): string {
  const digest = createHash('sha256');
  const names = readdirSync(folder).filter((name) => name.endsWith('.h'));
  for (const name of names.sort()) digest.update(`${name}\n`).update(readFileSync(join(folder, name)));
  return digest.digest('hex');
}

function run({ command }: Compiler, { file }: KernelSource, args: readonly string[]): void {
  // The sanitizers' run-time is for this process alone.
  const env = { ...process.env, LD_PRELOAD: '' };
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26, env });
  if (status === 0) return;
  const output = stderr || String(error);
  const line = output.split('\n').find((l) => /error/i.test(l)) ?? output.split('\n')[0];
  throw new LazyscopeError(
    'unavailable',
    `The software device can't compile ${file} with ${command} (${line.trim()}): correct the kernel.`,
    { cause: new Error(`${command} ${args.join(' ')}\n${output}`) },
  );
}
