/**
 * Screening finds candidates by a product of 16-bit integers with an error bound, and must leave every bit of the
 * result as it is: what the bound rules out could not have been chosen.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Encoder, FusedKernels, SharedChoice } from '../../ops/fusedKernels.ts';
import type { Entries, SparseEntries } from '../../ops/sparseEntries.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { nativeFusedKernels } from './fused.ts';
import { nativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';

const library = await nativeLibrary();
const canScreen = library.functions.canScreen() === 1;

let plain: FusedKernels;
let screened: FusedKernels;
beforeAll(async () => {
  await startBackend('native', { threads: 2 });
  const backend = tf.backend() as unknown as NativeBackend;
  [plain, screened] = (['never', 'always'] as const).map((screening) =>
    nativeFusedKernels(backend, library, { screening, denseAbove: 1 }),
  );
});

interface Case {
  rows: number;
  d: number;
  latents: number;
  k: number;
  x: Float32Array;
  wEnc: Float32Array;
  bEnc: Float32Array;
}

/** A token is the sum of some rows of the dictionary, as activations are. */
function makeCase(seed: number, [rows, d, latents, k]: readonly [number, number, number, number]): Case {
  const random = Random.fromSeed(seed, 'screening');
  const wEnc = random.normals(latents * d, 1 / Math.sqrt(d));
  const x = random.normals(rows * d, 0.05);
  for (let row = 0; row < rows; row++)
    for (let n = 0; n < 8; n++) {
      const latent = random.below(latents);
      for (let j = 0; j < d; j++) x[row * d + j] += wEnc[latent * d + j];
    }
  return { rows, d, latents, k, x, wEnc, bEnc: random.normals(latents, 0.01) };
}

/** Bits, so that −0 is not 0 and NaN is NaN. */
function bits(found: Entries) {
  if (found.kind !== 'sparse') throw new Error('expected a list');
  const { rowStart, indices, values } = found;
  return {
    rowStart: rowStart.dataSync<'int32'>().slice(),
    indices: indices.dataSync<'int32'>().slice(),
    values: new Uint32Array(new Float32Array(values.dataSync()).buffer),
  };
}

function expectSame({ rows, d, latents, k, x, wEnc, bEnc }: Case, lift = 0): void {
  const input = tf.tensor2d(x, [rows, d]);
  const of = (bias: Float32Array): Encoder => ({
    wEnc: tf.tensor2d(wEnc, [latents, d]) as Tensor2D,
    bEnc: tf.tensor1d(bias) as Tensor1D,
    centre: null,
  });
  const among = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 3 !== 1);
  const some = Math.min(k, among.length);
  const [encoder, lifted] = [of(bEnc), of(bEnc.map((b) => b + lift))];
  const threshold = tf.tensor1d(new Float32Array(latents).fill(0.3));
  const all = (kernels: FusedKernels) => [
    bits(kernels.topKEncode(input, encoder, k)),
    bits(kernels.topKEncode(input, encoder, some, among)),
    bits(kernels.thresholdEncode(input, lifted, { threshold: null, bandwidth: 0 })),
    bits(kernels.thresholdEncode(input, lifted, { threshold, bandwidth: 0.1 })),
  ];
  expect(all(screened)).toEqual(all(plain));
  const expected = positive(plain.topKEncode(input, encoder, k));
  const shares = 2 + (latents % 2);
  expect(largestOfShares(screened, { rows, d, latents, k, x, wEnc, bEnc }, shares)).toEqual(expected);
}

type Found = [latent: number, value: number][];

/** What of each row is not 0. */
function positive({ rows, rowStart, indices, values }: SparseEntries): Found[] {
  const [starts, places, found] = [rowStart.dataSync(), indices.dataSync(), values.dataSync()];
  return Array.from({ length: rows }, (_, b) =>
    [...places.subarray(starts[b], starts[b + 1])]
      .map((latent, i): Found[number] => [latent, found[starts[b] + i]])
      .filter(([, value]) => value !== 0),
  );
}

/** The k largest of each row, from what each of some shares of the latents finds once all know what k of them are sure to reach. */
function largestOfShares(
  kernels: FusedKernels,
  { rows, d, latents, k, x, wEnc, bEnc }: Case,
  shares: number,
): Found[] {
  const input = tf.tensor2d(x, [rows, d]);
  const begins = Array.from({ length: shares + 1 }, (_, r) => Math.floor((r * latents) / shares));
  const inShare = (r: number, agree: SharedChoice['agree']): Found[] => {
    const [begin, end] = [begins[r], begins[r + 1]];
    if (begin === end) {
      agree(new Float32Array(rows));
      return Array.from({ length: rows }, () => []);
    }
    const encoder = {
      wEnc: tf.tensor2d(wEnc.slice(begin * d, end * d), [end - begin, d]),
      bEnc: tf.tensor1d(bEnc.slice(begin, end)),
      centre: null,
    };
    const shared = { part: Math.ceil(k / shares), agree };
    const entries = kernels.topKEncodeOfMany!(input, encoder, Math.min(k, end - begin), { shared });
    return positive(entries).map((row) => row.map(([latent, value]) => [begin + latent, value]));
  };
  const bars = new Float32Array(rows).fill(Infinity);
  for (let r = 0; r < shares; r++)
    inShare(r, (sure) => {
      for (let b = 0; b < rows; b++) bars[b] = Math.min(bars[b], sure[b]);
      return new Float32Array(rows);
    });
  const all = begins.slice(1).map((_, r) => inShare(r, () => bars));
  const size = (value: number) => (Number.isNaN(value) ? Infinity : value);
  return Array.from({ length: rows }, (_, b) =>
    all
      .flatMap((share) => share[b])
      .sort(([i, u], [j, v]) => (size(u) === size(v) ? i - j : size(v) - size(u)))
      .slice(0, k)
      .sort(([i], [j]) => i - j),
  );
}

describe.skipIf(!canScreen)('with a CPU that multiplies pairs of integers', () => {
  test.each([
    [5, 1, 8, 1],
    [7, 3, 31, 31],
    [64, 201, 2100, 32],
    [130, 768, 3000, 32],
    [97, 64, 1031, 7],
    [33, 520, 640, 100],
  ] as const)('%i rows, d = %i, %i latents, k = %i', (...shape) => expectSame(makeCase(1, shape), -0.2));

  test('thirty random shapes', () => {
    const random = Random.fromSeed(2, 'screening shapes');
    for (let n = 0; n < 30; n++) {
      const latents = 1 + random.below(700);
      const shape = [
        5 + random.below(80),
        1 + random.below(300),
        latents,
        1 + random.below(Math.min(latents, 60)),
      ];
      expectSame(makeCase(100 + n, shape as [number, number, number, number]), -0.1);
    }
  });

  const shape = [40, 96, 500, 16] as const;

  test('latents that are the same: ties are by lower latent, and rows the bounds cannot narrow are done in full', () => {
    const tied = makeCase(3, shape);
    for (let i = 1; i < 500; i++) tied.wEnc.copyWithin(i * 96, 0, 96);
    tied.bEnc.fill(0.5);
    expectSame(tied);
    for (let i = 0; i < 500; i++) tied.bEnc[i] = i % 7 === 0 ? 0.5 : 0.25;
    expectSame(tied);
  });

  test('latents a rounding apart', () => {
    const close = makeCase(4, shape);
    for (let i = 1; i < 500; i++)
      for (let j = 0; j < 96; j++) close.wEnc[i * 96 + j] = close.wEnc[j] * (1 + ((i * 7) % 5) * 2 ** -23);
    close.bEnc.fill(0);
    expectSame(close);
  });

  test.each([
    ['NaN', NaN],
    ['infinity', Infinity],
    ['a huge number', 3e37],
    ['a number whose square is 0', 1e-30],
    ['a subnormal number', 2 ** -149],
  ])('%s among activations, weights and biases', (_, value) => {
    const odd = makeCase(5, shape);
    odd.x[3 * 96 + 5] = value;
    odd.x.fill(value, 7 * 96, 8 * 96);
    odd.wEnc[11 * 96 + 2] = -value;
    odd.wEnc.fill(value, 20 * 96, 21 * 96);
    odd.bEnc[30] = value;
    expectSame(odd, -0.2);
  });

  test('one direction far larger than all others', () => {
    const massive = makeCase(6, shape);
    for (let row = 0; row < 40; row++) massive.x[row * 96 + 17] = 300;
    expectSame(massive, -0.2);
  });

  test('rows and latents of zeros; nothing positive; zeros of either sign', () => {
    const empty = makeCase(7, shape);
    empty.x.fill(0, 0, 10 * 96);
    empty.wEnc.fill(-0, 0, 50 * 96);
    empty.bEnc.fill(-0, 0, 25);
    empty.bEnc.fill(0, 25, 60);
    expectSame(empty);
    empty.bEnc.fill(-100);
    expectSame(empty);
  });
});
