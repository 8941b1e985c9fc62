import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import {
  activationFunction,
  applyActivationFunction,
  gatedForms,
  type ActivationFunctionName,
} from './activationFunctions.ts';
import { fairCoins, type activationZoo } from './activationZoo.ts';

type Formula = (x: number, p: readonly number[]) => number;
const relu = (x: number) => Math.max(0, x);
const sigma = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.log1p(Math.exp(x));
const normalDensity = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** Φ by Simpson's rule on the density: independent of any erf. */
function normalShare(x: number): number {
  const steps = 2000;
  const h = x / steps;
  let sum = normalDensity(0) + normalDensity(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * normalDensity(i * h);
  return 0.5 + (sum * h) / 3;
}
/** Leaky ReLU with slope s, averaged over Gaussian shifts of deviation d, by quadrature: the definition of SAU. */
function smoothedLeaky(x: number, s: number, d: number): number {
  const steps = 4000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const z = -8 + (16 * (i + 0.5)) / steps;
    const shifted = x + d * z;
    sum += ((shifted > 0 ? shifted : s * shifted) * normalDensity(z) * 16) / steps;
  }
  return sum;
}
const expanded =
  (gate: (x: number) => number): Formula =>
  (x, [alpha]) =>
    x * (gate(x) * (1 + 2 * alpha) - alpha);

/** The formulas of METHODS.md §5 for one number in double precision; PolyNorm, which needs a whole row, has its own test. */
const formulas: Record<Exclude<keyof typeof activationZoo, 'polynorm'>, Formula> = {
  relu2: (x) => relu(x) ** 2,
  leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  softplus,
  sigmoid: sigma,
  tanh: Math.tanh,
  swish_beta: (x, [beta]) => x * sigma(beta * x),
  mish: (x) => x * Math.tanh(softplus(x)),
  aptx: (x) => (1 + Math.tanh(x)) * 0.5 * x,
  smelu: (x) => (x <= -1 ? 0 : x >= 1 ? x : (x + 1) ** 2 / 4),
  sau: (x) => smoothedLeaky(x, 0.15, 0.5),
  snake: (x, [a]) => x + Math.sin(a * x) ** 2 / a,
  xatlu: expanded((x) => (Math.atan(x) + Math.PI / 2) / Math.PI),
  xgelu: expanded(normalShare),
  xsilu: expanded(sigma),
  crrelu: (x, [epsilon]) => relu(x) + epsilon * x * Math.exp((-x * x) / 2),
  polyrelu: (x, a) => a[0] * relu(x) + a[1] * relu(x) ** 2 + a[2] * relu(x) ** 3,
  helu: relu,
  stocha: relu,
  fatrelu: (x, [threshold]) => (x > threshold ? x : 0),
};
const names = Object.keys(formulas) as (keyof typeof formulas)[];

/** None of the points is a kink of any of them. */
const points = Array.from({ length: 41 }, (_, i) => -4.13 + 0.207 * i);
/** Away from the initial values, so that every term counts. */
const shifted = (name: ActivationFunctionName) =>
  Object.values(activationFunction(name).parameters ?? {})
    .flat()
    .map((value, i) => value + 0.11 + 0.05 * i);
const slope = (f: (x: number) => number, at: number, h = 1e-5) => (f(at + h) - f(at - h)) / (2 * h);

describe.each(['cpu', 'auto'] as const)('backend %s', (backend) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  test.each(names)('%s is its formula, and its slope the formula’s finite difference', (name) => {
    const parameters = shifted(name);
    const own = parameterTensors(name, parameters);
    const x = tf.tensor1d(points);
    const y = applyActivationFunction(name, x, own).dataSync();
    const dx = tf
      .grad((t) => applyActivationFunction(name, t, own))(x)
      .dataSync();
    points.forEach((at, i) => {
      const f = (value: number) => formulas[name](value, parameters);
      expect(y[i], `${name}(${at})`).toBeCloseTo(f(at), 4);
      // HeLU's gradient is not its slope: that is the point of it.
      const expected = name === 'helu' ? Number(at > -0.1) : slope(f, at);
      expect(dx[i], `${name}'(${at})`).toBeCloseTo(expected, 3);
    });
  });

  test.each(names.filter((name) => activationFunction(name).parameters && name !== 'fatrelu'))(
    'the gradient of %s in its parameters is the formula’s finite difference',
    (name) => {
      const parameters = shifted(name);
      const x = tf.tensor1d(points);
      const weights = Random.fromSeed(3).normals(points.length);
      const key = Object.keys(activationFunction(name).parameters!)[0];
      const gradient = tf
        .grad((p) =>
          applyActivationFunction(name, x, { [key]: p })
            .mul(tf.tensor1d(weights))
            .sum(),
        )(tf.tensor1d(parameters))
        .dataSync();
      parameters.forEach((value, i) => {
        const total = (moved: number) =>
          points.reduce(
            (sum, at, n) =>
              sum +
              weights[n] *
                formulas[name](
                  at,
                  parameters.map((p, k) => (k === i ? moved : p)),
                ),
            0,
          );
        expect(gradient[i] / slope(total, value)).toBeCloseTo(1, 3);
      });
    },
  );

  test('polynorm is a sum of powers, each divided by its norm over the neurons; all gradients by finite differences', () => {
    const [rows, neurons] = [3, 7];
    const x = Array.from(Random.fromSeed(5).normals(rows * neurons));
    const a = [0.4, -0.3, 0.7];
    const weights = Random.fromSeed(6).normals(rows * neurons);
    const reference = (values: readonly number[], coefficients: readonly number[]) =>
      values.map((value, at) => {
        const row = values.slice(Math.floor(at / neurons) * neurons).slice(0, neurons);
        return coefficients.reduce(
          (sum, c, i) => sum + (c * value ** (i + 1)) / Math.hypot(...row.map((each) => each ** (i + 1))),
          0,
        );
      });
    const total = (values: readonly number[], coefficients: readonly number[]) =>
      reference(values, coefficients).reduce((sum, value, at) => sum + value * weights[at], 0);
    const input = tf.tensor2d(x, [rows, neurons]);
    const coefficients = tf.tensor1d(a);
    const y = applyActivationFunction('polynorm', input, { coefficients }).dataSync();
    reference(x, a).forEach((value, at) => expect(y[at]).toBeCloseTo(value, 5));
    const [dx, da] = tf.grads((t, c) =>
      applyActivationFunction('polynorm', t, { coefficients: c })
        .mul(tf.tensor2d(weights, [rows, neurons]))
        .sum(),
    )([input, coefficients]);
    dx.dataSync().forEach((gradient, at) => {
      const moved = (value: number) =>
        total(
          x.map((each, n) => (n === at ? value : each)),
          a,
        );
      expect(gradient).toBeCloseTo(slope(moved, x[at]), 3);
    });
    da.dataSync().forEach((gradient, i) => {
      const moved = (value: number) =>
        total(
          x,
          a.map((each, n) => (n === i ? value : each)),
        );
      expect(gradient).toBeCloseTo(slope(moved, a[i]), 3);
    });
  });

  test('StochA draws SiLU or ReLU for each entry while it trains, each with its own slope', () => {
    const x = tf.tensor1d(new Float32Array(4000).fill(-1.5));
    const random = () => Random.fromSeed(7);
    const y = applyActivationFunction('stocha', x, undefined, random()).dataSync();
    const silu = -1.5 * sigma(-1.5);
    const share = y.filter((value) => Math.abs(value - silu) < 1e-6).length / 4000;
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
    expect(y.every((value) => value === 0 || Math.abs(value - silu) < 1e-6)).toBe(true);
    const dx = tf
      .grad((t) => applyActivationFunction('stocha', t, undefined, random()))(x)
      .dataSync();
    const siluSlope = slope((value) => value * sigma(value), -1.5);
    y.forEach((value, i) => expect(dx[i]).toBeCloseTo(value === 0 ? 0 : siluSlope, 4));
  });

  test('FATReLU’s threshold is set, not trained', () => {
    const gradient = tf.grad((threshold) =>
      applyActivationFunction('fatrelu', tf.tensor1d(points), { threshold }),
    )(tf.tensor1d([0.3]));
    expect(Math.abs(gradient.dataSync()[0])).toBe(0);
  });
});

test('coins are fair and independent of how many are asked for', () => {
  const coins = fairCoins(Random.fromSeed(1), 10_000);
  expect(Math.abs(coins.reduce((a, b) => a + b, 0) / 10_000 - 0.5)).toBeLessThan(0.02);
  expect(fairCoins(Random.fromSeed(1), 100)).toEqual(coins.slice(0, 100));
});

test('the gated forms name functions that exist', () => {
  for (const name of Object.values(gatedForms)) expect(activationFunction(name).apply).toBeTypeOf('function');
});

function parameterTensors(name: ActivationFunctionName, values: readonly number[]) {
  const [key] = Object.keys(activationFunction(name).parameters ?? {});
  return key === undefined ? {} : { [key]: tf.tensor1d([...values]) };
}
