import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { StoreLayout } from '../store/layout.ts';
import { openText, type TextSource } from '../tokens/text/openText.ts';
import { capture } from './capture.ts';
import { parseExclusionRule } from './exclusionRule.ts';
import { heldOutContexts } from './heldOutContexts.ts';
import { ModelBatches, type ModelBatchesOptions } from './modelBatches.ts';
import { openCapture } from './openCapture.ts';
import { selectRows } from './selectRows.ts';
import { letterDocuments } from '../fixtures/letterCapture.ts';

const tinyLlama = join(import.meta.dirname, '..', 'models', 'fixtures', 'tinyLlama');
let folder: string;
let text: TextSource;
beforeAll(async () => {
  await startBackend('native', { threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-batches-'));
  const documents = letterDocuments(40);
  await writeFile(join(folder, 'letters.txt'), documents.join('\n<|endoftext|>\n'));
  text = await openText(join(folder, 'letters.txt'));
  await writeFile(join(folder, 'long.txt'), documents.join('').repeat(20));
});

const hook: HookPoint = 'blocks.0.mlp.hook_post';
const nothing = { position: 0, norm: null, tokens: new Set<number>() };
const opened: ModelBatches[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
function batches(model: LanguageModel, changes: Partial<ModelBatchesOptions> = {}): ModelBatches {
  const made = new ModelBatches({
    model,
    hook,
    text,
    contextLength: 16,
    firstPosition: 1,
    before: 'contexts',
    dtype: 'float16',
    bufferTokens: 10 * 15,
    batchSize: 7,
    seed: 3,
    heldOut: new Set(heldOutContexts(63, 6)),
    leftOut: nothing,
    ...changes,
  });
  opened.push(made);
  return made;
}

/** Rows as strings, `count` of them. */
async function rowsOf(source: ModelBatches, count: number): Promise<string[]> {
  const rows: string[] = [];
  while (rows.length < count) {
    await source.ready(source.batchSize);
    const batch = source.next();
    for (let at = 0; at < batch.length; at += source.d) rows.push(batch.subarray(at, at + source.d).join());
  }
  return rows.slice(0, count);
}

/** The training rows of a capture of the same text, in the order of the text, with the tokens of their contexts. */
async function capturedRows(model: LanguageModel, exclude: string, options: object = {}) {
  const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-batches-')));
  await capture({ store, name: 'all', model, text, hooks: [hook], contextLength: 16, ...options });
  const kept = await openCapture(store, 'all');
  const selected = selectRows(kept, [hook], parseExclusionRule(exclude));
  const rows = selected.readRows(hook, 0, selected.trainRows);
  const d = selected.width(hook);
  const all = Array.from({ length: selected.trainRows }, (_, row) =>
    rows.subarray(row * d, (row + 1) * d).join(),
  );
  const tokens = all.map((_, row) => {
    const { context, position } = selected.rowToken(row);
    return kept.tokens[context * kept.manifest.contextLength + position];
  });
  kept.close();
  return { rows: all, tokens, contexts: kept.manifest.contexts };
}

describe('the rows are those of a capture', () => {
  test.each(['float16', 'float32'] as const)('to the bit, each once an epoch, as %s', async (dtype) => {
    const model = toyLanguageModel();
    const { rows, contexts } = await capturedRows(model, 'none', { dtype });
    expect(contexts).toBe(63);
    const given = await rowsOf(batches(model, { dtype }), 2 * rows.length);
    expect(given.slice(0, rows.length).sort()).toEqual([...rows].sort());
    expect(given.slice(rows.length).sort()).toEqual([...rows].sort());
    // Another epoch, another order.
    expect(given.slice(rows.length)).not.toEqual(given.slice(0, rows.length));
  });

  test('of a real model, in buffers that hold contexts as a capture does not group them', async () => {
    const model = await loadLanguageModel(tinyLlama);
    const contextLength = Math.min(16, model.config.contextLength);
    const { rows, contexts } = await capturedRows(model, 'none', { contextLength, dtype: 'float32' });
    const heldOut = new Set(heldOutContexts(contexts, Math.round(contexts / 10)));
    const source = batches(model, { contextLength, dtype: 'float32', bufferTokens: 7 * 15, heldOut });
    expect((await rowsOf(source, rows.length)).sort()).toEqual([...rows].sort());
    model.dispose();
  });

  test('without those a rule leaves out, by position, token and norm', async () => {
    const model = toyLanguageModel();
    const { rows } = await capturedRows(model, 'position:3', { dtype: 'float32' });
    const dtype = 'float32';
    const source = batches(model, { dtype, batchSize: 13, leftOut: { ...nothing, position: 3 } });
    expect((await rowsOf(source, rows.length)).sort()).toEqual([...rows].sort());
    expect(source.excluded).toBe(57 * 2);
    // A letter's rows, and the rows beyond a norm, of all rows of the text.
    const all = await capturedRows(model, 'none', { dtype });
    const norm = (row: string) => Math.fround(Math.hypot(...row.split(',').map(Number)));
    const limit = 9.5;
    const short = all.rows.filter((row) => norm(row) <= limit);
    expect(short.length).toBeGreaterThan(100);
    expect(short.length).toBeLessThan(all.rows.length - 100);
    const byNorm = batches(model, { dtype, leftOut: { ...nothing, norm: limit } });
    expect((await rowsOf(byNorm, short.length)).sort()).toEqual(short.sort());
    const others = all.rows.filter((_, row) => all.tokens[row] !== 0 && all.tokens[row] !== 5);
    expect(others.length).toBeLessThan(all.rows.length - 50);
    const byToken = batches(model, { dtype, leftOut: { ...nothing, tokens: new Set([0, 5]) } });
    expect((await rowsOf(byToken, others.length)).sort()).toEqual(others.sort());
  });
});

test('rows are shuffled over the size of the buffer, and not beyond it', async () => {
  const model = await loadLanguageModel(tinyLlama);
  const heldOut = new Set<number>();
  const rows = 3 * 20 * 15;
  const contexts = await rowsOf(batches(model, { heldOut, bufferTokens: 15, batchSize: 15 }), rows);
  const given = await rowsOf(batches(model, { heldOut, bufferTokens: 20 * 15 + 14, batchSize: 5 }), rows);
  const size = 20 * 15;
  for (let fill = 0; fill < 3; fill++) {
    const planted = contexts.slice(fill * size, (fill + 1) * size);
    const part = given.slice(fill * size, (fill + 1) * size);
    expect([...part].sort()).toEqual([...planted].sort());
    // Where a row of each third of the filling went: to every third of it.
    const went = planted.map((row, at) => [
      Math.floor((3 * at) / size),
      Math.floor((3 * part.indexOf(row)) / size),
    ]);
    expect(new Set(went.map(String)).size).toBe(9);
  }
  model.dispose();
});

test('a state is where reading goes on, to the bit, at any row, and across fillings and epochs', async () => {
  const model = toyLanguageModel();
  for (const changes of [
    { bufferTokens: 150 },
    // One filling an epoch.
    { bufferTokens: 100_000 },
    { bufferTokens: 150, leftOut: { ...nothing, position: 2, norm: 11 } },
  ]) {
    const whole = batches(model, changes);
    const states = [];
    const given: string[][] = [];
    for (let step = 0; step < 260; step++) {
      await whole.ready(14);
      states.push(whole.state());
      given.push(await rowsOf(whole, 7));
    }
    expect(whole.state().epoch).toBeGreaterThan(0);
    for (const step of [0, 1, 20, 21, 22, 100, 121, 122, 123, 200]) {
      const resumed = batches(model, changes);
      resumed.restore(states[step]);
      for (let next = step; next < step + 30; next++) expect(await rowsOf(resumed, 7)).toEqual(given[next]);
      expect(resumed.state()).toEqual(states[step + 30]);
    }
    // Back a little, as when a batch could not be sent.
    await whole.ready(14);
    const back = whole.state();
    const first = whole.next();
    whole.restore(back);
    expect(whole.next()).toEqual(first);
  }
});

test('a whole text in the buffer is computed once', async () => {
  const model = toyLanguageModel();
  const source = batches(model, { bufferTokens: 100_000 });
  await rowsOf(source, 100);
  const { calls } = model;
  await rowsOf(source, 3000);
  expect(model.calls).toBe(calls);
});

test('a whole text in the buffer is given several times over, at once', async () => {
  const model = toyLanguageModel();
  const source = batches(model, { bufferTokens: 100_000, batchSize: 100 });
  // As the statistics before the first step ask for 16,384 rows of a text that makes 855.
  await source.ready(4000);
  expect(await rowsOf(source, 4000)).toEqual(
    await rowsOf(batches(model, { bufferTokens: 100_000, batchSize: 100 }), 4000),
  );
});

test('no more is computed than will be asked for, and resuming computes the same', async () => {
  const model = toyLanguageModel();
  const changes = { bufferTokens: 100_000, rowsWanted: 700, heldOut: new Set<number>() };
  // A forward pass is of 256 contexts here, so a filling of many passes needs a longer text.
  const long = await openText(join(folder, 'long.txt'));
  const source = batches(model, { ...changes, text: long });
  const rows = await rowsOf(source, 700);
  expect(model.calls).toBe(1);
  const resumed = batches(model, { ...changes, text: long });
  resumed.restore({ ...source.state(), position: 350 });
  expect(await rowsOf(resumed, 350)).toEqual(rows.slice(350));
  // Asking for more goes on.
  await rowsOf(source, 100_000);
  expect(source.state().fill + source.state().epoch).toBeGreaterThan(0);
});

test('a text without a row to train on, a stop, and values that float16 does not hold', async () => {
  const model = toyLanguageModel();
  const none = batches(model, { leftOut: { ...nothing, norm: 0 } });
  await expect(none.ready(1)).rejects.toMatchObject({ code: 'bad_input', message: /no row to train on/ });
  const single = batches(model, { bufferTokens: 100_000, leftOut: { ...nothing, position: 16 } });
  await expect(single.ready(1)).rejects.toThrow(/no row to train on/);
  const held = batches(model, { heldOut: new Set(Array.from({ length: 63 }, (_, i) => i)) });
  await expect(held.ready(1)).rejects.toThrow(/no row to train on/);
  const stopping = new AbortController();
  stopping.abort();
  const stopped = batches(model, { signal: stopping.signal });
  await stopped.ready(100);
  expect(() => stopped.next()).toThrow(/not ready/);
});
