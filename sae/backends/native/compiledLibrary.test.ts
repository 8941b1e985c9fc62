import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compiledLibrary } from './compiledLibrary.ts';
import { findCompiler, type Compiler } from './compiler.ts';

const compiler = findCompiler();

describe.skipIf(!compiler)('with a compiler', () => {
  let folder: string;
  let sources: string;
  let cache: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lazyscope-native-'));
    sources = join(folder, 'source');
    cache = join(folder, 'cache');
    mkdirSync(sources);
    writeFileSync(join(sources, 'answer.h'), header(42));
    writeFileSync(join(sources, 'a.cc'), '#include "answer.h"\nint answer() { return ANSWER; }');
    writeFileSync(join(sources, 'b.cc'), '#include "answer.h"\nint other() { return 1; }');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const header = (answer: number) => `#define ANSWER ${answer}\nextern "C" {\nint answer();\nint other();\n}`;
  const build = () => compiledLibrary(compiler as Compiler, sources, cache);
  const answerOf = (path: string) => koffi.load(path).func('int answer()')();

  test('several that compile at once end with one whole library and nothing temporary', async () => {
    const [first, second, third] = await Promise.all([build(), build(), build()]);
    expect([second, third]).toEqual([first, first]);
    expect(answerOf(first)).toBe(42);
    expect(readdirSync(cache).filter((name) => !/^[0-9a-f]{24}\.(o|so|dylib)$/.test(name))).toEqual([]);
  });

  test('a changed header makes another library; unchanged sources make none', async () => {
    const first = await build();
    const files = readdirSync(cache);
    expect(await build()).toBe(first);
    expect(readdirSync(cache)).toEqual(files);
    writeFileSync(join(sources, 'answer.h'), header(43));
    const second = await build();
    expect(second).not.toBe(first);
    expect(answerOf(second)).toBe(43);
    expect(answerOf(first)).toBe(42);
  });

  test.each([
    ['that the header does not declare', 'int another() { return 2; }', 'another'],
    ['declared with another type', 'double other(float* x) { return x[0]; }', 'other'],
  ])('an exported function %s does not compile', async (_, source, name) => {
    writeFileSync(join(sources, 'b.cc'), `#include "answer.h"\n${source}`);
    await expect(build()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(name),
    });
  });

  test("a source that does not compile is an error with the compiler's words, and leaves nothing", async () => {
    writeFileSync(join(sources, 'b.cc'), 'int broken( {');
    await expect(build()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('error'),
    });
    expect(readdirSync(cache).filter((name) => !name.endsWith('.o'))).toEqual([]);
  });

  test('a cache that cannot be written is an error that names it', async () => {
    writeFileSync(cache, 'a file, not a folder');
    await expect(build()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('XDG_CACHE_HOME'),
    });
  });
});
