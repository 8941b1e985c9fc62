/** The device's lists of best pairs against the reference. Small integers in vectors of 4^n entries give exact products, with ties everywhere. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import type { RowVectors } from '../../ops/productBlocks.ts';
import { topPairs, topPairsReference, type TopPairsRequest } from '../../ops/topPairs.ts';
import { finish } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import { cudaBackend } from './cuda.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaTopPairs, type PairBlocks } from './topPairs.ts';

chooseCudaDeviceForTests();
const probe = await cudaBackend.probe();

function vectors(seed: number, rows: number, d: number, draw: (random: Random) => number): RowVectors {
  const random = Random.fromSeed(seed);
  return { rows, d, data: Float32Array.from({ length: rows * d }, () => draw(random)) };
}
const integer = (random: Random) => (random.below(5) - 2) / 4;
const offsets = (seed: number, length: number) =>
  vectors(seed, length, 1, (random) => random.below(8) / 8).data;

describe.skipIf(!probe.works)(`best pairs on ${probe.detail}`, () => {
  beforeAll(() => startBackend('cuda'));

  test.each([
    [1, 1, 4],
    [3, 50, 16],
    [70, 5, 16],
    [129, 257, 64],
    [300, 400, 16],
  ])('%d rows, %d columns, d = %d: the same lists, place by place', (rows, columns, d) => {
    const pair = { a: vectors(1, rows, d, integer), b: vectors(2, columns, d, integer) };
    const length = { perRow: Math.min(4, columns), perColumn: Math.min(3, rows) };
    const plain = { ...pair, ...length };
    expect(topPairs(plain)).toEqual(topPairsReference(plain));
    const shifted = { ...plain, columnOffset: offsets(3, columns), rowOffset: offsets(4, rows) };
    expect(topPairs(shifted)).toEqual(topPairsReference(shifted));
  });

  test('small blocks, and blocks with more candidates than the list has places', () => {
    const backend = tf.backend() as CudaBackend;
    const request: TopPairsRequest = {
      a: vectors(5, 90, 16, integer),
      b: vectors(6, 130, 16, integer),
      perRow: 5,
      perColumn: 5,
    };
    const expected = topPairsReference(request);
    const before = backend.memoryPool.bytes.used;
    const ways: PairBlocks[] = [
      { firstRows: 8, rows: 32, entries: 32 * 50, listed: 4096 },
      { firstRows: 1, rows: 7, entries: 100, listed: 3 },
    ];
    for (const blocks of ways) {
      const seen: number[] = [];
      const run = cudaTopPairs(backend, blocks);
      expect(finish(run({ ...request, progress: (rows) => seen.push(rows) }))).toEqual(expected);
      expect(seen[0]).toBe(blocks.firstRows);
      expect(seen.at(-1)).toBe(90);
    }
    // One that is given up in its middle leaves nothing behind either.
    const stopped = cudaTopPairs(backend, ways[0])(request);
    stopped.next();
    stopped.return(expected);
    expect(backend.memoryPool.bytes.used).toBe(before);
  });
});
