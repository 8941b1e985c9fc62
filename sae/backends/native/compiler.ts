/** Finds the system's C++ compiler and compiles the native library's sources with it. */
import { spawn, spawnSync } from 'node:child_process';
import { LazyscopeError } from '../../errors.ts';

export interface Compiler {
  command: string;
  /** First line of `--version`. */
  version: string;
}

/** `$CXX`, then c++, g++, clang++: the first that answers; null when there is none. */
export function findCompiler(): Compiler | null {
  for (const command of [process.env.CXX, 'c++', 'g++', 'clang++']) {
    if (!command) continue;
    const answer = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (answer.status === 0) return { command, version: answer.stdout.split('\n')[0] };
  }
  return null;
}

export const compileFlags: readonly string[] = [
  '-O3',
  // On Apple's ARM compilers -march=native is not what it is elsewhere.
  process.arch === 'arm64' && process.platform === 'darwin' ? '-mcpu=native' : '-march=native',
  '-std=c++17',
  '-fPIC',
  '-pthread',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
];

/** Makes an exported function that source/lazyscope.h does not declare an error. Clang has another name for it. */
export function undeclaredIsError({ version }: Compiler): string {
  return /clang/i.test(version) ? '-Werror=missing-prototypes' : '-Werror=missing-declarations';
}

/** What a failure of the compiler is said to be, and what to do about it. */
const ofNative = {
  failure: "Backend native can't start",
  remedy: 'Install a C++17 compiler and name it in CXX, or choose --backend wasm.',
};

/** Runs the compiler; a failure carries what it printed. */
export async function runCompiler(
  compiler: Compiler,
  args: readonly string[],
  { failure, remedy, signal }: { failure: string; remedy: string; signal?: AbortSignal } = ofNative,
): Promise<void> {
  const { status, output } = await new Promise<{ status: number | null; output: string }>(
    (resolve, reject) => {
      const child = spawn(compiler.command, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ status: code, output: text }));
    },
  );
  if (status !== 0) {
    const line = output.split('\n').find((l) => /error|cannot|not found/i.test(l)) ?? output.split('\n')[0];
    throw new LazyscopeError(
      'unavailable',
      `${failure}: ${compiler.command} failed (${line.trim()}). ${remedy}`,
      { cause: new Error(`${compiler.command} ${args.join(' ')}\n${output}`) },
    );
  }
}
