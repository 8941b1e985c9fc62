import { expect, test } from 'vitest';
import type { Capture } from './openCapture.ts';
import { Permutation } from './permutation.ts';
import { ShuffledBatches } from './shuffledBatches.ts';

test.each([1, 2, 3, 10, 97, 1000, 65_536, 99_991])('a permutation of %i items has each once', (size) => {
  const permutation = new Permutation(size, 5, 'x');
  const seen = new Uint8Array(size);
  for (let i = 0; i < size; i++) seen[permutation.at(i)]++;
  expect(seen.every((n) => n === 1)).toBe(true);
});

test('where an index goes looks random: cells of (from, to) are equally full', () => {
  const size = 100_003;
  // Neighbours must part as well: the second table is over the distance between the images of i and i + 1.
  const cells = new Float64Array(400);
  const steps = new Float64Array(50);
  const permutation = new Permutation(size, 1, 'epoch 0');
  for (let i = 0; i < size; i++) {
    const to = permutation.at(i);
    cells[Math.floor((i * 20) / size) * 20 + Math.floor((to * 20) / size)]++;
    const step = (permutation.at((i + 1) % size) - to + size) % size;
    steps[Math.floor((step * 50) / size)]++;
  }
  const chiSquared = (counts: Float64Array) =>
    counts.reduce((sum, n) => sum + (n - size / counts.length) ** 2 / (size / counts.length), 0);
  // 99.99 % points for 361 and 49 degrees of freedom.
  expect(chiSquared(cells)).toBeLessThan(467);
  expect(chiSquared(steps)).toBeLessThan(92);
});

/** Row r is (r, −r). */
function numbered(trainRows: number): Capture {
  const never = () => {
    throw new Error('not asked for');
  };
  return {
    manifest: {
      version: 1, name: 'numbers', createdAt: '', status: 'complete', model: { name: '', folder: '', sha256: '' },
      text: { source: '', sha256: '' }, contextLength: 2, contexts: trainRows, heldOutContexts: 0, firstPosition: 1,
      dtype: 'float32', tokens: null, hooks: [],
    }, // prettier-ignore
    tokens: new Int32Array(),
    rowsPerContext: 1,
    trainRows,
    heldOutRows: 50,
    width: () => 2,
    readRows: never,
    gatherRows: (_, rows, out) => rows.forEach((row, i) => out.set([row, -row], 2 * i)),
    rowToken: never,
    close: never,
  };
}

const firsts = (batch: Float32Array) => [...batch].filter((_, i) => i % 2 === 0);

test('each epoch has every training row once, and epochs and seeds differ', () => {
  const take = (seed: number) => {
    const batches = new ShuffledBatches(numbered(105), 'h', { seed, batchSize: 10 });
    return Array.from({ length: 21 }, () => firsts(batches.next())).flat();
  };
  const rows = take(1);
  const sorted = Array.from({ length: 105 }, (_, i) => i);
  expect(rows.slice(0, 105).sort((a, b) => a - b)).toEqual(sorted);
  expect(rows.slice(105).sort((a, b) => a - b)).toEqual(sorted);
  const again = take(1);
  expect(again.slice(0, 105)).not.toEqual(again.slice(105));
  expect(take(1)).toEqual(again);
  expect(take(2)).not.toEqual(again);
});

test('a reader restored from its state goes on with the same rows, across epochs', () => {
  const capture = numbered(33);
  const batches = new ShuffledBatches(capture, 'h', { seed: 3, batchSize: 8 });
  for (let skipped = 0; skipped < 6; skipped++) {
    const state = JSON.parse(JSON.stringify(batches.state()));
    const resumed = new ShuffledBatches(capture, 'h', { seed: 3, batchSize: 8, state });
    expect(resumed.next()).toEqual(batches.next());
    expect(resumed.next()).toEqual(batches.next());
  }
});

test('no training rows and a state of a larger capture are refused', () => {
  expect(() => new ShuffledBatches(numbered(0), 'h', { seed: 1, batchSize: 8 })).toThrow(
    /no rows to train on/,
  );
  const state = { seed: 1, epoch: 0, position: 34 };
  expect(() => new ShuffledBatches(numbered(33), 'h', { seed: 1, batchSize: 8, state })).toThrow(
    /Position 34/,
  );
});
