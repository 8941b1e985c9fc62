/** NVIDIA's run-time compiler: CUDA C++ into machine code for one architecture, without a toolkit and without a driver. */
import { LazyscopeError } from '../../errors.ts';
import { binder, inout, listOf, out } from './binding.ts';
import type { KernelCompiler } from './kernelCompiler.ts';
import type { KernelSource } from './kernelSource.ts';
import type { Library } from './libraries.ts';

const strings = listOf('str');

/** Special values and rounding stay as IEEE 754 has them: no --use_fast_math. */
const options = ['-std=c++17', '-default-device'];

function bind(library: Library) {
  const f = binder(library);
  return {
    version: f('nvrtcVersion', out('int'), out('int')),
    create: f('nvrtcCreateProgram', out('uint64'), 'str', 'str', 'int', strings, strings),
    compile: f('nvrtcCompileProgram', 'uint64', 'int', strings),
    logSize: f('nvrtcGetProgramLogSize', 'uint64', out('uint64')),
    log: f('nvrtcGetProgramLog', 'uint64', 'void*'),
    cubinSize: f('nvrtcGetCUBINSize', 'uint64', out('uint64')),
    cubin: f('nvrtcGetCUBIN', 'uint64', 'void*'),
    destroy: f('nvrtcDestroyProgram', inout('uint64')),
    errorText: library.func('nvrtcGetErrorString', 'str', ['int']) as (code: number) => string,
  };
}

/** The name of an architecture, for NVRTC: with the features of its own where kernels use them (Hopper's). */
export function architectureName({ major, minor }: { major: number; minor: number }): string {
  return `sm_${major}${minor}${major === 9 && minor === 0 ? 'a' : ''}`;
}

interface CompilerOptions {
  readonly strict?: boolean;
  readonly report?: (resources: string) => void;
}

export class Nvrtc {
  readonly #functions: ReturnType<typeof bind>;
  readonly version: string;

  constructor(library: Library) {
    this.#functions = bind(library);
    const [major, minor] = [[0], [0]];
    this.#check('nvrtcVersion', this.#functions.version(major, minor));
    this.version = `${major[0]}.${minor[0]}`;
  }

  /**
   * A compiler for one architecture, as `architectureName` names it. `strict`, for tests: a warning is an error. `report`, for
   * tests too: gets the assembler's words on the registers and the memory of each kernel.
   */
  compilerFor(architecture: string, { strict = false, report }: CompilerOptions = {}): KernelCompiler {
    const verbose = report ? ['--ptxas-options=-v'] : [];
    const common = [`--gpu-architecture=${architecture}`, ...options, ...verbose];
    return {
      identity: `NVRTC ${this.version} ${common.join(' ')}`,
      compile: ({ file, text, headers }, define) => {
        const definitions = Object.entries(define).map(([name, value]) => `-D${name}=${value}`);
        return this.#compile({ file, text, headers }, [...common, ...definitions], { strict, report });
      },
    };
  }

  #compile(
    { file, text, headers }: Pick<KernelSource, 'file' | 'text' | 'headers'>,
    all: readonly string[],
    { strict, report }: CompilerOptions,
  ): Uint8Array {
    const f = this.#functions;
    const program = [0];
    this.#check(
      'nvrtcCreateProgram',
      f.create(program, text, file, headers.size, [...headers.values()], [...headers.keys()]),
    );
    try {
      const code = f.compile(program[0], all.length, all);
      const words = code !== 0 || strict || report ? this.#log(program[0]) : '';
      const log = strict || code !== 0 ? withoutResources(words) : '';
      report?.(words);
      if (code !== 0 || log !== '') throw this.#rejected(file, log || f.errorText(code), all);
      const size = [0];
      this.#check('nvrtcGetCUBINSize', f.cubinSize(program[0], size));
      const image = Buffer.alloc(Number(size[0]));
      this.#check('nvrtcGetCUBIN', f.cubin(program[0], image));
      return image;
    } finally {
      f.destroy(program);
    }
  }

  #log(program: number): string {
    const size = [0];
    this.#check('nvrtcGetProgramLogSize', this.#functions.logSize(program, size));
    const log = Buffer.alloc(Number(size[0]));
    this.#check('nvrtcGetProgramLog', this.#functions.log(program, log));
    return log.toString('utf8').replace(/\0+$/, '').trim();
  }

  #rejected(file: string, log: string, all: readonly string[]): LazyscopeError {
    const line = log.split('\n').find((l) => /error|warning/i.test(l)) ?? log.split('\n')[0];
    return new LazyscopeError(
      'unavailable',
      `Backend cuda can't compile ${file} with NVRTC ${this.version} (${line.trim()}): update NVRTC, or choose --backend native.`,
      { cause: new Error(`${all.join(' ')}\n${log}`) },
    );
  }

  #check(call: string, code: number): void {
    if (code !== 0)
      throw new LazyscopeError(
        'unavailable',
        `NVRTC ${this.version ?? ''} failed in ${call} (${this.#functions.errorText(code)}): reinstall nvidia-cuda-nvrtc, or choose --backend native.`,
      );
  }
}

/** What the compiler says besides the lines that `--ptxas-options=-v` asks for. */
function withoutResources(log: string): string {
  return log
    .split('\n')
    .filter((line) => !/^ptxas (info {4}| {8}\.)/.test(line))
    .join('\n')
    .trim();
}
