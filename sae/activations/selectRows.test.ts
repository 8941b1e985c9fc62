/** Attention sinks planted where token 0 stands, 40 times as long as they would be. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { sinkLanguageModel } from '../fixtures/sinkLanguageModel.ts';
import { StoreLayout } from '../store/layout.ts';
import { capture } from './capture.ts';
import { excludesNothing, parseExclusionRule } from './exclusionRule.ts';
import { openCapture, type Capture } from './openCapture.ts';
import { selectRows } from './selectRows.ts';
import { ShuffledBatches } from './shuffledBatches.ts';

const hook = 'blocks.0.hook_resid_post';
const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-sinks-')));
const contextLength = 16;
let opened: Capture;
/** Rows of the capture, their tokens and positions, the slow way. */
let rows: { x: number[]; token: number; position: number }[];

async function write(name: string, options: object = {}): Promise<Capture> {
  // Uneven documents, so that separators stand at many positions.
  const documents = Array.from({ length: 60 }, (_, i) =>
    Array.from({ length: 9 + ((i * 5) % 14) }, (__, j) =>
      String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26)),
    ).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  const model = sinkLanguageModel(40);
  await capture({ store, name, model, text, hooks: [hook], contextLength, heldOutFraction: 0.3, dtype: 'float32', ...options }); // prettier-ignore
  return openCapture(store, name);
}

beforeAll(async () => {
  opened = await write('sinks');
  rows = Array.from({ length: opened.trainRows + opened.heldOutRows }, (_, row) => {
    const { context, position } = opened.rowToken(row);
    const token = opened.tokens[context * contextLength + position];
    return { x: Array.from(opened.readRows(hook, row, 1)), token, position };
  });
});

const squared = (x: readonly number[], y: readonly number[]) =>
  x.reduce((sum, value, j) => sum + (value - y[j]) ** 2, 0);

test('the capture says how many rows are long, where, and what share of the variance they hold', () => {
  const { norms } = opened.manifest.hooks[0];
  const lengths = rows.map(({ x }) => Math.hypot(...x)).sort((a, b) => a - b);
  const median = lengths[(lengths.length - 1) >> 1];
  const sinks = rows.filter(({ x }) => Math.hypot(...x) > 10 * median);
  expect(sinks.length).toBeGreaterThan(5);
  expect(sinks.every(({ token }) => token === 0)).toBe(true);
  expect(norms).toMatchObject({ factor: 10, rows: sinks.length, tokens: [{ token: 0, rows: sinks.length }] });
  expect(norms?.median).toBeCloseTo(median, 4);
  expect(norms?.largest).toBeCloseTo(lengths.at(-1) ?? NaN, 3);
  const mean = rows[0].x.map((_, j) => rows.reduce((sum, { x }) => sum + x[j], 0) / rows.length);
  const share =
    sinks.reduce((sum, { x }) => sum + squared(x, mean), 0) /
    rows.reduce((sum, { x }) => sum + squared(x, mean), 0);
  expect(share).toBeGreaterThan(0.5);
  expect(norms?.varianceShare).toBeCloseTo(share, 6);
  const positions = new Map<number, number>();
  for (const { position } of sinks) positions.set(position, (positions.get(position) ?? 0) + 1);
  for (const { position, rows: count } of norms?.positions ?? []) expect(count).toBe(positions.get(position));
});

test('the capture says how the norms are distributed, by position and by token', () => {
  const { norms } = opened.manifest.hooks[0];
  const middle = (values: number[]) => values.sort((a, b) => a - b)[(values.length - 1) >> 1];
  const lengthsOf = (keep: (row: (typeof rows)[number]) => boolean) =>
    rows.filter(keep).map(({ x }) => Math.hypot(...x));
  const all = lengthsOf(() => true);
  expect(norms?.quantiles?.map(({ share }) => share)).toEqual([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]);
  for (const { share, norm } of norms?.quantiles ?? []) {
    const upTo = (limit: number) => all.filter((length) => length <= limit).length / all.length;
    expect(upTo(norm * (1 + 1e-5))).toBeGreaterThanOrEqual(share);
    expect(upTo(norm * (1 - 1e-5))).toBeLessThan(share);
  }
  const { firstPosition } = opened.manifest;
  expect(norms?.medianByPosition).toHaveLength(contextLength - firstPosition);
  norms?.medianByPosition?.forEach((median, at) =>
    expect(median).toBeCloseTo(middle(lengthsOf(({ position }) => position === firstPosition + at)), 3),
  );
  const [longest, ...others] = norms?.longestTokens ?? [];
  const sinks = lengthsOf(({ token }) => token === 0);
  expect(longest).toMatchObject({ token: 0, rows: sinks.length });
  expect(longest.median).toBeCloseTo(middle(sinks), 2);
  for (const { token, median, rows: count } of others) {
    const own = lengthsOf((row) => row.token === token);
    expect([own.length, own.length >= 8]).toEqual([count, true]);
    expect(median).toBeCloseTo(middle(own), 3);
    expect(median).toBeLessThan(longest.median);
  }
});

test('a capture that is older than quantiles gets them by capturing again, and keeps its rows', async () => {
  const name = 'older';
  (await write(name)).close();
  const path = store.captureManifest(name);
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  for (const own of manifest.hooks)
    for (const key of ['quantiles', 'medianByPosition', 'longestTokens']) delete own.norms[key];
  await writeFile(path, JSON.stringify(manifest));
  const again = await write(name);
  expect(again.manifest.hooks[0].norms).toEqual(opened.manifest.hooks[0].norms);
  expect(again.manifest.createdAt).toBe(manifest.createdAt);
  again.close();
});

test('by default they are captured, and marked to be left out', () => {
  expect(opened.manifest.exclude).toBe('norm:10');
  expect(opened.manifest.packing).toEqual({ separator: 0, before: 'contexts' });
});

describe.each([
  ['norm:10', ({ x }: { x: number[] }, median: number) => Math.hypot(...x) > 10 * median],
  ['position:3', ({ position }: { position: number }) => position < 3],
  [
    'position:2,norm:10',
    ({ x, position }: { x: number[]; position: number }, median: number) =>
      position < 2 || Math.hypot(...x) > 10 * median,
  ],
])('%s', (text, isOut) => {
  test('leaves out exactly those rows, everywhere rows are read', () => {
    const lengths = rows.map(({ x }) => Math.hypot(...x)).sort((a, b) => a - b);
    const median = lengths[(lengths.length - 1) >> 1];
    const out = rows.flatMap((row, i) => (isOut(row, median) ? [i] : []));
    const kept = rows.flatMap((row, i) => (isOut(row, median) ? [] : [i]));
    const selected = selectRows(opened, [hook], parseExclusionRule(text));
    expect(Array.from(selected.excluded)).toEqual(out);
    expect(selected.trainRows).toBe(kept.filter((row) => row < opened.trainRows).length);
    expect(selected.trainRows + selected.heldOutRows).toBe(kept.length);
    expect(Array.from(selected.readRows(hook, 0, kept.length))).toEqual(kept.flatMap((row) => rows[row].x));
    expect(selected.rowToken(selected.trainRows)).toEqual(opened.rowToken(kept[selected.trainRows]));
    expect(Array.from(selected.excludedHeldOut)).toEqual(
      Array.from({ length: opened.heldOutRows }, (_, i) => Number(out.includes(opened.trainRows + i))),
    );
    // An epoch of training gives out every kept training row once and no other.
    const batches = new ShuffledBatches(selected, hook, { seed: 5, batchSize: selected.trainRows });
    const sorted = (values: number[][]) => values.map((x) => x.join()).sort();
    const epoch = batches.next();
    const d = rows[0].x.length;
    const given = Array.from({ length: selected.trainRows }, (_, i) =>
      Array.from(epoch.subarray(i * d, (i + 1) * d)),
    );
    const wanted = kept.filter((row) => row < opened.trainRows).map((row) => rows[row].x);
    expect(sorted(given)).toEqual(sorted(wanted));
  });
});

test('leaving nothing out reads the capture’s own rows', () => {
  const selected = selectRows(opened, [hook], excludesNothing);
  expect(selected.excluded).toHaveLength(0);
  expect(selected.readRows(hook, 3, 40)).toEqual(opened.readRows(hook, 3, 40));
});

test('special tokens are left out where the capture says which they are, and refused where it does not', async () => {
  const path = store.captureManifest('sinks');
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...manifest, specialTokens: [0, 7] }));
  const special = selectRows(await openCapture(store, 'sinks'), [hook], parseExclusionRule('special'));
  expect(Array.from(special.excluded)).toEqual(
    rows.flatMap(({ token }, i) => (token === 0 || token === 7 ? [i] : [])),
  );
  const { specialTokens: _, ...older } = manifest;
  await writeFile(path, JSON.stringify(older));
  const capture = await openCapture(store, 'sinks');
  expect(() => selectRows(capture, [hook], parseExclusionRule('special'))).toThrow(
    expect.objectContaining({ code: 'bad_input', message: expect.stringContaining("'sinks'") }),
  );
  await writeFile(path, JSON.stringify(manifest));
});

test('a rule that leaves nothing to train on is refused', () => {
  expect(() => selectRows(opened, [hook], parseExclusionRule('position:16'))).toThrow(
    expect.objectContaining({ code: 'bad_input' }),
  );
});

test('separators may stand before documents alone, or nowhere', async () => {
  const documents = await write('documents', { separatorBefore: 'documents' });
  const nothing = await write('nothing', { separatorBefore: 'nothing', exclude: excludesNothing });
  const first = ({ tokens, manifest }: Capture) =>
    Array.from({ length: manifest.contexts }, (_, i) => tokens[i * contextLength]);
  expect(first(opened).every((token) => token === 0)).toBe(true);
  expect(first(documents).every((token) => token === 0)).toBe(false);
  expect(documents.tokens.includes(0)).toBe(true);
  expect(nothing.tokens.includes(0)).toBe(false);
  expect(nothing.manifest).toMatchObject({
    exclude: 'none',
    packing: { separator: null, before: 'nothing' },
  });
});
