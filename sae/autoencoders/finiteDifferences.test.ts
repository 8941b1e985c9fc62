/**
 * Every analytic gradient against central finite differences of the loss, computed in float64 by plain JavaScript that
 * shares nothing with the product; the straight-through estimators, which are no derivatives, against their closed
 * forms (METHODS.md §1).
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { sparseDecode, sparseDots, sparseOuter, thresholdEncode, topKEncode } from '../ops/fusedOps.ts';
import { referenceKernels } from '../ops/referenceKernels.ts';
import { Random } from '../numerics/random.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { dictionaryVariables } from './dictionary.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { jump, jumpRelu, step } from './jumpRelu.ts';
import { relu } from './relu.ts';
import { topK } from './topK.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';

beforeAll(() => startBackend('native'));

const [rows, d, latents] = [6, 5, 14];
const random = Random.fromSeed(4);
const draw = (count: number, scale = 1) => Float64Array.from(random.normals(count, scale));
const x = draw(rows * d);

interface Doubles {
  wEnc: Float64Array;
  bEnc: Float64Array;
  wDec: Float64Array;
  bDec: Float64Array;
  logThreshold: Float64Array | null;
}
const parameters = (threshold: boolean): Doubles => ({
  wEnc: draw(latents * d),
  bEnc: draw(latents, 0.3),
  wDec: draw(latents * d),
  bDec: draw(d, 0.3),
  logThreshold: threshold ? draw(latents, 0.3) : null,
});
const names = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const;

/** z [rows][latents] */
const preActivations = (p: Doubles, subtract: boolean) =>
  Array.from({ length: rows }, (_, b) =>
    Array.from({ length: latents }, (_, i) => {
      let z = p.bEnc[i];
      for (let j = 0; j < d; j++) z += p.wEnc[i * d + j] * (x[b * d + j] - (subtract ? p.bDec[j] : 0));
      return z;
    }),
  );
/** Rows f·W_dec + bias − target. */
const errors = (p: Doubles, f: number[][], bias: boolean, target: number[][]) =>
  f.map((row, b) =>
    Array.from({ length: d }, (_, j) => {
      let value = (bias ? p.bDec[j] : 0) - target[b][j];
      for (let i = 0; i < latents; i++) value += row[i] * p.wDec[i * d + j];
      return value;
    }),
  );
const squares = (matrix: number[][]) => matrix.flat().reduce((sum, value) => sum + value * value, 0);
const xRows = Array.from({ length: rows }, (_, b) => [...x.subarray(b * d, (b + 1) * d)]);
const norm = (p: Doubles, i: number) => Math.hypot(...p.wDec.subarray(i * d, (i + 1) * d));
const largest = (row: number[], k: number) => {
  const kth = [...row].sort((a, b) => b - a)[k - 1];
  return row.map((value) => (value >= kth ? Math.max(0, value) : 0));
};
const variance = (matrix: number[][]) => varianceAboutMean(matrix.flat(), d);

function expectGradient(loss: (p: Doubles) => number, at: Doubles, got: DictionaryTensors) {
  const h = 1e-6;
  for (const name of names) {
    const analytic = got[name].dataSync();
    for (let i = 0; i < at[name].length; i++) {
      const moved = (by: number) => {
        const values = at[name].slice();
        values[i] += by;
        return loss({ ...at, [name]: values });
      };
      const numeric = (moved(h) - moved(-h)) / (2 * h);
      expect(Math.abs(analytic[i] - numeric)).toBeLessThan(2e-5 * Math.max(1, Math.abs(numeric)));
    }
  }
}

describe.each(['native', 'reference'] as const)('%s kernels', (which) => {
  const kernels = () => (which === 'native' ? fusedKernels() : referenceKernels);
  const variables = (p: Doubles) =>
    dictionaryVariables({
      wEnc: Float32Array.from(p.wEnc),
      bEnc: Float32Array.from(p.bEnc),
      wDec: Float32Array.from(p.wDec),
      bDec: Float32Array.from(p.bDec),
      logThreshold: p.logThreshold && Float32Array.from(p.logThreshold),
    });
  const batch = () => ({
    x: tf.tensor2d(Float32Array.from(x), [rows, d]),
    variance: varianceAboutMean(x, d),
  });
  const none = new Int32Array();

  test('ReLU', async () => {
    const p = parameters(false);
    const lambda = 0.7;
    const loss = (q: Doubles) => {
      const f = preActivations(q, true).map((row) => row.map((z) => Math.max(0, z)));
      const l1 = f.flat().reduce((sum, value, at) => sum + value * norm(q, at % latents), 0);
      return (squares(errors(q, f, true, xRows)) + lambda * l1) / rows;
    };
    const settings = { sparsityCoefficient: lambda, dead: none, state: {} };
    const pass = relu.forward(kernels(), variables(p), batch(), exampleConfig('relu'), settings);
    expect((await pass.measure(true)).loss).toBeCloseTo(loss(p), 4);
    expectGradient(loss, p, kernels().gradients(pass.request));
  });

  test.each([
    ['nothing dead', []],
    ['two dead', [3, 11]],
    ['many dead, more than AuxK takes', [0, 1, 2, 5, 7, 8, 9, 13]],
  ])('TopK, %s', async (_, dead) => {
    const p = parameters(false);
    const [k, alpha] = [3, 0.4];
    const left = (q: Doubles) => {
      const f = preActivations(q, true).map((row) => largest(row, k));
      return errors(q, f, true, xRows);
    };
    // What the main reconstruction leaves over is a constant of the auxiliary loss.
    const constant = left(p).map((row) => row.map((value) => -value));
    const half = Math.floor(d / 2);
    const loss = (q: Doubles) => {
      const main = squares(left(q)) / variance(xRows);
      if (dead.length === 0) return main;
      const among = preActivations(q, true).map((row) => {
        const chosen = largest(
          dead.map((i) => row[i]),
          Math.min(half, dead.length),
        );
        return row.map((_, i) => chosen[dead.indexOf(i)] ?? 0);
      });
      const weight = Math.min(dead.length / half, 1);
      return main + (alpha * weight * squares(errors(q, among, false, constant))) / variance(constant);
    };
    const config = { ...exampleConfig('topk'), k, auxCoefficient: alpha };
    const settings = { sparsityCoefficient: 0, dead: Int32Array.from(dead), state: {} };
    const pass = topK.forward(kernels(), variables(p), batch(), config, settings);
    expect((await pass.measure(true)).loss).toBeCloseTo(loss(p), 4);
    expectGradient(loss, p, kernels().gradients(pass.request));
  });

  test.each([
    ['λ·L0', null],
    ['λ(L0/L0* − 1)²', 3],
  ])('JumpReLU, %s: derivatives where there are any, closed forms for θ', async (_, targetL0) => {
    const p = parameters(true);
    const theta = Float64Array.from(p.logThreshold ?? [], Math.exp);
    const [lambda, bandwidth] = [0.3, 0.9];
    const on = (q: Doubles) =>
      preActivations(q, false).map((row) => row.map((z, i) => (z > theta[i] ? z : 0)));
    const l0Of = (q: Doubles) => on(q).flat().filter((f) => f > 0).length / rows; // prettier-ignore
    const penalty = (l0: number) => (targetL0 === null ? l0 : (l0 / targetL0 - 1) ** 2);
    const loss = (q: Doubles) => squares(errors(q, on(q), true, xRows)) / rows + lambda * penalty(l0Of(q));
    const config = { ...exampleConfig('jumprelu'), bandwidth, targetL0 };
    const settings = { sparsityCoefficient: lambda, dead: none, state: {} };
    const pass = jumpRelu.forward(kernels(), variables(p), batch(), config, settings);
    expect((await pass.measure(true)).loss).toBeCloseTo(loss(p), 4);
    const gradients = kernels().gradients(pass.request);
    // The number of firings does not move with z, so that the loss is smooth away from the thresholds.
    expectGradient(loss, p, gradients);

    const z = preActivations(p, false);
    const error = errors(p, on(p), true, xRows);
    const slope = lambda * (targetL0 === null ? 1 : (2 * (l0Of(p) / targetL0 - 1)) / targetL0);
    const got = gradients.logThreshold?.dataSync() ?? [];
    for (let i = 0; i < latents; i++) {
      let want = 0;
      for (let b = 0; b < rows; b++) {
        const inBand = Math.abs((z[b][i] - theta[i]) / bandwidth) < 0.5 ? 1 : 0;
        let byF = 0; // ∂L/∂f
        for (let j = 0; j < d; j++) byF += ((2 * error[b][j]) / rows) * p.wDec[i * d + j];
        want += byF * -(theta[i] / bandwidth) * inBand + (slope / rows) * -(1 / bandwidth) * inBand;
      }
      expect(got[i]).toBeCloseTo(want * theta[i], 4);
    }
  });
});

test('the straight-through estimators are their closed forms', () => {
  const theta = tf.tensor1d([0.5, 0.5, 0.5, 0.5, 2]);
  const z = tf.tensor2d([[0.2, 0.45, 0.55, 0.9, -1]]);
  const epsilon = 0.2;
  const dy = tf.tensor2d([[1, 2, 3, 4, 5]]);
  const gradients = (f: typeof jump) => tf.grads((a: Tensor, b: Tensor) => f(a as Tensor2D, b as Tensor1D, epsilon))([z, theta], dy); // prettier-ignore
  const close = (got: Tensor, want: number[]) => {
    const values = [...got.dataSync()];
    values.forEach((value, i) => expect(value).toBeCloseTo(want[i], 5));
  };
  const [jumpZ, jumpTheta] = gradients(jump);
  close(jumpZ, [0, 0, 3, 4, 0]);
  close(jumpTheta, [0, -(0.5 / 0.2) * 2, -(0.5 / 0.2) * 3, 0, 0]);
  const [stepZ, stepTheta] = gradients(step);
  close(stepZ, [0, 0, 0, 0, 0]);
  close(stepTheta, [0, -2 / 0.2, -3 / 0.2, 0, 0]);
});

test('the fused ops compose with autodiff: gradients of every output are those of the dense definition', () => {
  const input = tf.tensor2d(Float32Array.from(x), [rows, d]);
  const p = parameters(false);
  const [wEnc, wDec] = [p.wEnc, p.wDec].map((w) => tf.tensor2d(Float32Array.from(w), [latents, d]));
  const bEnc = tf.tensor1d(Float32Array.from(p.bEnc));
  const theta = tf.mul(tf.ones([latents]), 0.4) as Tensor1D;
  const weights = tf.tensor2d(random.normals(rows * d), [rows, d]);
  const dense = (keep: (z: Tensor2D) => Tensor2D) => (a: Tensor, w: Tensor, b: Tensor, v: Tensor) => {
    const z = tf.matMul(a as Tensor2D, w as Tensor2D, false, true).add<Tensor2D>(b);
    return tf.matMul(z.mul<Tensor2D>(keep(z)), v as Tensor2D).mul(weights).sum<Scalar>(); // prettier-ignore
  };
  const mask = (values: number[][]) => tf.tensor2d(values);
  const zRows = preActivations({ ...p, bDec: new Float64Array(d) }, false);
  const cases = [
    [
      (a: Tensor, w: Tensor, b: Tensor) => topKEncode(a as Tensor2D, w as Tensor2D, b as Tensor1D, 4),
      mask(zRows.map((row) => largest(row, 4).map((f) => Number(f > 0)))),
    ],
    [
      (a: Tensor, w: Tensor, b: Tensor) =>
        thresholdEncode(a as Tensor2D, w as Tensor2D, b as Tensor1D, theta),
      mask(zRows.map((row) => row.map((z) => Number(z > 0.4)))),
    ],
  ] as const;
  for (const [encode, kept] of cases) {
    const fused = tf.grads(
      (a, w, b, v) =>
      sparseDecode(encode(a, w, b), v as Tensor2D).mul(weights).sum<Scalar>(), // prettier-ignore
    )([input, wEnc, bEnc, wDec]);
    const defined = tf.grads(dense(() => kept))([input, wEnc, bEnc, wDec]);
    fused.forEach((gradient, i) => {
      const off = gradient.sub(defined[i]).abs().max().dataSync()[0];
      expect(off).toBeLessThan(1e-4);
    });
  }
});

test('decode, dots and outer are differentiable in each argument', () => {
  const input = tf.tensor2d(Float32Array.from(x), [rows, d]);
  const w = tf.tensor2d(random.normals(latents * d), [latents, d]);
  const code = topKEncode(input, w, tf.zeros([latents]) as Tensor1D, 4);
  const n = code.values.shape[0];
  const dense = (values: Tensor) => {
    const at = [...code.indices.dataSync()].map((i, e) => Math.floor(e / 4) * latents + i);
    return tf.matMul(values.reshape<Tensor2D>([1, n]), tf.oneHot(at, rows * latents, 1, 0, 'float32') as Tensor2D).reshape<Tensor2D>([rows, latents]); // prettier-ignore
  };
  const [a, b] = [tf.tensor1d(random.normals(n)), tf.tensor2d(random.normals(rows * d), [rows, d])];
  const c = tf.tensor2d(random.normals(latents * d), [latents, d]);
  const kept = dense(tf.ones([n]));
  const same = (left: Tensor[], right: Tensor[]) =>
    left.forEach((gradient, i) =>
      expect(gradient.sub(right[i]).abs().max().dataSync()[0]).toBeLessThan(1e-4),
    );
  const places = { ...code, values: a };
  same(
    tf.grads((v, u) => sparseDecode({ ...places, values: v as Tensor1D }, u as Tensor2D).mul(b).sum())([a, w]), // prettier-ignore
    tf.grads((v, u) => tf.matMul(dense(v), u as Tensor2D).mul(b).sum())([a, w]), // prettier-ignore
  );
  same(
    tf.grads((g, u) => sparseDots(places, g as Tensor2D, u as Tensor2D).mul(a).sum())([b, w]), // prettier-ignore
    tf.grads((g, u) => tf.matMul(g as Tensor2D, u as Tensor2D, false, true).mul(kept).mul(dense(a)).sum())([b, w]), // prettier-ignore
  );
  same(
    tf.grads((v, g) => sparseOuter({ ...places, values: v as Tensor1D }, g as Tensor2D).mul(c).sum())([a, b]), // prettier-ignore
    tf.grads((v, g) => tf.matMul(dense(v), g as Tensor2D, true).mul(c).sum())([a, b]), // prettier-ignore
  );
});
