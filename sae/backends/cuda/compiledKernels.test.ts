/**
 * Every kernel, compiled by NVRTC for the architectures that the backend is meant for; a warning is an error. It needs no
 * GPU. `npm test` compiles for Hopper where NVRTC is found; `npm run test:cuda` fetches NVRTC and compiles for all.
 * Registers and spills of each kernel go to node_modules/.cache/lazyscope/cuda-registers.txt.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isLazyscopeError } from '../../errors.ts';
import { rowLayout } from './fused/rowLayout.ts';
import { screenDefine } from './fused/screen.ts';
import type { Definitions } from './kernelCompiler.ts';
import { readKernelSource, sourceFolder } from './kernelSource.ts';
import { loadLibrary } from './libraries.ts';
import { Nvrtc } from './nvrtc.ts';

/** Rows of GPT-2 small, of a 7B model, of few numbers, and of a number of them that four does not divide. */
const rows: readonly Definitions[] = [768, 4096, 32, 30].map((d) => ({ ...rowLayout(d).define }));
const updates = [0, 1].flatMap((BLOCKED) =>
  rows.flatMap((row, which) =>
    [0, 1].flatMap((GIVEN) =>
      [0, 1, 2]
        .filter((PURPOSE) => (which < 2 && !BLOCKED) || PURPOSE === 2)
        .map((PURPOSE) => ({ ...row, BLOCKED, GIVEN, PURPOSE, NARROW: PURPOSE === 2 ? 1 - GIVEN : 0 })),
    ),
  ),
);
const reconstructions = rows.flatMap((row) => [0, 1].map((NARROW) => ({ ...row, NARROW })));
/** Screening has threads by k instead of by d. */
const screens = [768, 30].flatMap((d) =>
  [128, 512].map((threads) => ({ ...screenDefine(d, threads), KEEPS: threads === 128 ? 1 : 0 })),
);
const lists = [1024, 2048, 4096].flatMap((CAPACITY) =>
  screens.slice(0, 2).map((screen) => ({ ...screen, CAPACITY })),
);
/** Heads of width 64, 128 and 256; the tiles of kernels/attention.ts. */
const heads: readonly Definitions[] = [
  { WIDTHS: 4, ROWS: 4, COLUMNS: 2 },
  { WIDTHS: 4, ROWS: 2, COLUMNS: 2 },
  { WIDTHS: 8, ROWS: 4, COLUMNS: 2 },
  { WIDTHS: 8, ROWS: 2, COLUMNS: 2 },
  { WIDTHS: 16, ROWS: 1, COLUMNS: 1 },
];

/** Files that are compiled for more than the length of a row. */
const variants: Readonly<Record<string, readonly Definitions[]>> = {
  'attention.cu': heads,
  'fusedUpdate.cu': updates,
  'fusedReconstruct.cu': reconstructions,
  'fusedScreen.cu': screens,
  'fusedListed.cu': lists,
  'rowStore.cu': [{ HALF: 0 }, { HALF: 1 }],
};

/** What a file is compiled with. A definition that is missing here is an error of the compiler. */
function definitionsOf(file: string): readonly Definitions[] {
  const forRows = /\b(VECTOR|THREADS)\b/.test(readKernelSource(file).text);
  return variants[file] ?? (forRows ? rows : [{}]);
}

/** Bytes that a kernel may store and load where its launch bounds leave a few registers too little; more would cost more than they gain. */
const mostSpilled = 128;

/** All for Hopper; elsewhere the first and the last, which takes a quarter of the time. */
function chosen(all: readonly Definitions[], architecture: string): readonly Definitions[] {
  return architecture === 'sm_90a' || all.length < 3 ? all : [all[0], all[all.length - 1]];
}

const architectures =
  process.env.LAZYSCOPE_CUDA_ARCHITECTURES === 'all' ? ['sm_80', 'sm_89', 'sm_90a', 'sm_100'] : ['sm_90a'];

function found(): Nvrtc | null {
  try {
    return new Nvrtc(loadLibrary('libnvrtc').library);
  } catch (error) {
    if (isLazyscopeError(error)) return null;
    throw error;
  }
}
const nvrtc = found();
const skipped = nvrtc ? '' : ' (no NVRTC on this machine)';

interface Resources {
  readonly kernel: string;
  readonly registers: number;
  readonly spilled: number;
}

/** The assembler's words, as `--ptxas-options=-v` has them. */
function resourcesIn(words: string): Resources[] {
  const entry =
    /Function properties for (\w+)\s+ptxas\s+\.?\s*\d+ bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\s+ptxas info\s*: Used (\d+) registers/g;
  return [...words.matchAll(entry)].map(([, kernel, stores, loads, registers]) => ({
    kernel,
    registers: Number(registers),
    spilled: Number(stores) + Number(loads),
  }));
}

const table: string[] = [];
afterAll(() => {
  if (table.length === 0) return;
  const folder = join('node_modules', '.cache', 'lazyscope');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cuda-registers.txt'), `${table.join('\n')}\n`);
});

const files = readdirSync(sourceFolder).filter((file) => file.endsWith('.cu'));
const programs = architectures.flatMap((architecture) =>
  files.flatMap((file) =>
    chosen(definitionsOf(file), architecture).map((define) => ({
      architecture,
      file,
      define,
      constants: Object.entries(define)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    })),
  ),
);

test('every file that the variants name is there', () => {
  expect(files).toEqual(expect.arrayContaining(Object.keys(variants)));
});

describe.skipIf(!nvrtc)(`NVRTC compiles without a warning${skipped}`, () => {
  test.each(nvrtc ? programs : programs.slice(0, 1))(
    '$file for $architecture $constants',
    ({ architecture, file, define, constants }) => {
      let words = '';
      const report = (said: string) => (words = said);
      const source = readKernelSource(file);
      const image = nvrtc?.compilerFor(architecture, { strict: true, report }).compile(source, define);
      expect(
        Buffer.from(image ?? [])
          .subarray(1, 4)
          .toString(),
      ).toBe('ELF');
      const resources = resourcesIn(words);
      expect(resources.map(({ kernel }) => kernel).sort()).toEqual([...source.kernels.keys()].sort());
      for (const { kernel, registers, spilled } of resources)
        table.push(
          `${architecture} ${file} ${kernel} ${constants}: ${registers} registers, ${spilled} bytes spilled`,
        );
      expect(resources.filter(({ spilled }) => spilled > mostSpilled)).toEqual([]);
    },
  );
});
