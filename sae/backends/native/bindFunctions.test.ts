/**
 * The C interface as its callers see it. What a caller can get wrong is an error of types; the calls here that the
 * compiler refuses (`@ts-expect-error` fails the type check if it would not) throw at run time as well, because a
 * tensor's type is known only then.
 */
import { describe, expect, test } from 'vitest';
import { nativeLibrary } from './library.ts';
import type { Gemm } from './nativeFunctions.ts';
import { writable } from './pointers.ts';

const { functions } = await nativeLibrary();
const floats = (...values: number[]) => Float32Array.from(values);
const product: Gemm = {
  a: floats(1, 2, 3, 4, 5, 6),
  b: floats(1, -1, 2, 0.5, 0, 3),
  c: writable(new Float32Array(4)),
  bias: floats(10, 20),
  batch: 1,
  aStride: 0,
  bStride: 0,
  m: 2,
  n: 2,
  k: 3,
  transposeA: 0,
  transposeB: 0,
  alpha: 2,
  beta: 0,
  relu: 0,
};

test('members of a struct arrive where the header has them: 2·[[1,2,3],[4,5,6]]·[[1,−1],[2,½],[0,3]] + [10,20]', () => {
  functions.gemm(product);
  expect([...product.c]).toEqual([20, 38, 38, 53]);
  // An order of one's own: they go by name.
  const c = writable(new Float32Array(4));
  const { k, n, m, relu, beta, ...rest } = product;
  functions.gemm({ relu, k, n, m, beta, ...rest, c, bias: null });
  expect([...c]).toEqual([10, 18, 28, 33]);
});

test('structs within structs, by value and by pointer, and null for what may be null', () => {
  const length = (n: number) => writable(new Float32Array(n));
  const dictionary = () => ({
    wEnc: length(2),
    bEnc: length(1),
    wDec: length(2),
    bDec: length(2),
    logThreshold: null,
    rMag: null,
    bMag: null,
  });
  const parameters = { ...dictionary(), wEnc: writable(floats(0.5, 0)), wDec: writable(floats(1, 0)) };
  const settings = {
    latents: 1,
    d: 2,
    outputs: 2,
    rows: 1,
    scale: 0.5,
    auxScale: 0,
    l1: 0,
    bandwidth: 0,
    l0Gradient: 0,
    rate: 1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    root: 1,
    clip: 0,
    subtractsDecoderBias: 0,
    unitNorm: 0,
  };
  const term = {
    rowStart: Int32Array.of(0, 1),
    indices: Int32Array.of(0),
    values: floats(3),
    dots: floats(2),
    error: floats(2, -4),
  };
  const first = dictionary();
  const call = {
    ...settings,
    parameters,
    first,
    x: floats(6, 7),
    threshold: null,
    gate: null,
    prefixes: null,
    prefixCount: 0,
    blocks: null,
    blockCount: 0,
  };
  functions.sparseUpdate({ ...call, writeGradient: 1, second: null }, term, null);
  // ∂w_dec = scale·f·error, ∂w_enc = ∂z·x with ∂z = scale·dot, ∂b_dec = scale·error.
  expect([...first.wDec, ...first.wEnc, ...first.bEnc, ...first.bDec]).toEqual([3, -6, 6, 7, 1, 1, -2]);

  const [moment, second] = [dictionary(), dictionary()];
  functions.sparseUpdate({ ...call, writeGradient: 0, first: moment, second }, term, null);
  expect([...moment.wDec].map((v) => Math.fround(v))).toEqual([0.3, -0.6].map(Math.fround));
  expect(second.wDec[1]).toBeCloseTo(0.36, 6);
  expect(parameters.wDec[0]).toBeLessThan(1);
});

describe('what the compiler refuses throws a TypeError that names it', () => {
  const [x, y, index] = [floats(1, 2), writable(new Float32Array(2)), Int32Array.of(0, 1)];

  test('pointers to different elements that have changed places', () => {
    // @ts-expect-error labels are integers
    expect(() => functions.crossEntropy(x, x, y, 1, 2)).toThrow(
      /cross_entropy: labels must be Int32Array but is Float32Array/,
    );
    // @ts-expect-error the index comes second
    expect(() => functions.segmentSum(index, x, y, 2, 1, 1)).toThrow(TypeError);
    const swapped = { ...product, a: index };
    // @ts-expect-error a holds floats
    expect(() => functions.gemm(swapped)).toThrow(
      /lazyscope_gemm: gemm\.a must be Float32Array but is Int32Array/,
    );
  });

  test('an input and an output that have changed places', () => {
    // Of the same elements, so only the compiler can tell: what is written must be `Writable`.
    const never = () => {
      // @ts-expect-error x is an input
      functions.softmax(y, x, 1, 2);
      // @ts-expect-error a is an input
      functions.gemm({ ...product, a: product.c, c: product.a });
    };
    expect(never).toBeTypeOf('function');
  });

  test('null where nothing may be null', () => {
    // @ts-expect-error the gain must be there
    expect(() => functions.rmsNorm(x, null, y, 1, 2, 1e-5)).toThrow(
      /rms_norm: gain must be Float32Array but is null/,
    );
    // @ts-expect-error second.log_threshold may be null, the encoder may not
    expect(() => functions.denseEncode(null, y)).toThrow(
      /dense_encode: encoder must be an object but is null/,
    );
  });

  test('a member that is missing, which koffi would take for zero', () => {
    const { k: _, ...without } = product;
    // @ts-expect-error k is missing
    expect(() => functions.gemm(without)).toThrow(/gemm\.k must be a whole number but is undefined/);
  });

  test('a plain array, of which koffi would pass a copy', () => {
    // @ts-expect-error not a typed array
    expect(() => functions.softmax([1, 2], y, 1, 2)).toThrow(/softmax: x must be Float32Array but is Array/);
  });

  test('too few or too many arguments', () => {
    // @ts-expect-error n is missing
    expect(() => functions.softmax(x, y, 1)).toThrow(/softmax takes 4 arguments but got 3/);
    // @ts-expect-error one too many
    expect(() => functions.softmax(x, y, 1, 2, 3)).toThrow(/takes 4 arguments but got 5/);
  });
});

test('numbers that are not whole are refused where C would cut them off', () => {
  const [x, y] = [floats(1, 2), writable(new Float32Array(2))];
  for (const rows of [NaN, 0.5, Infinity, 2 ** 60])
    expect(() => functions.softmax(x, y, rows, 2)).toThrow(/rows must be a whole number/);
  expect(() => functions.unary(2 ** 31, x, y, 2, 0)).toThrow(/op must be a 32-bit integer/);
});
