import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { probeBackends, startBackend } from '../backends/startBackend.ts';
import { languageModelCases, valueAndGradients } from '../fixtures/languageModelCases.ts';
import { Random } from '../numerics/random.ts';
import { tf, type Variable } from '../tensor/tf.ts';
import { adamWStep, createAdamWState, disposeAdamWState, globalNorm } from './adamW.ts';

chooseCudaDeviceForTests();
const probes = await probeBackends();
const works = (backend: string) => probes.some((probe) => probe.name === backend && probe.works);
const tuned = ['native', 'cuda'] as const;

const random = Random.fromSeed(6, 'ops');
const normal = (shape: readonly number[]) =>
  tf.tensor(random.normals(shape.reduce((a, b) => a * b, 1)), [...shape], 'float32');

describe.each(languageModelCases)('$name', ({ op, reference, shapes }) => {
  let inputs: { values: Float32Array; shape: number[] }[];
  let weights: Float32Array;
  let expected: ReturnType<typeof valueAndGradients>;

  beforeAll(async () => {
    await startBackend('cpu');
    inputs = shapes.map((shape) => ({ values: random.normals(shape.reduce((a, b) => a * b, 1)), shape }));
    const size = tf.tidy(
      () => reference(...inputs.map(({ values, shape }) => tf.tensor(values, shape))).size,
    );
    weights = random.normals(size);
    expected = valueAndGradients(reference, inputs, weights);
  });

  test('the reference composition agrees with finite differences', () => {
    // In single precision a central difference is accurate to about 1e-3. A few entries of each input are tested.
    const step = 1e-2;
    inputs.forEach(({ values }, input) => {
      for (let n = 0; n < Math.min(5, values.length); n++) {
        const i = random.below(values.length);
        const at = (delta: number) => {
          const moved = inputs.map((t) => ({ values: t.values.slice(), shape: t.shape }));
          moved[input].values[i] += delta;
          const y = tf.tidy(() => reference(...moved.map((t) => tf.tensor(t.values, t.shape))).dataSync());
          return weights.reduce((sum, weight, j) => sum + weight * y[j], 0);
        };
        const slope = (at(step) - at(-step)) / (2 * step);
        const analytic = expected.gradients[input][i];
        expect(Math.abs(slope - analytic)).toBeLessThan(2e-2 * (1 + Math.abs(analytic)));
      }
    });
  });

  for (const backend of tuned)
    test.skipIf(!works(backend))(
      `${backend}: value and every gradient agree with the reference`,
      async () => {
        await startBackend(backend);
        const before = tf.memory().numTensors;
        const actual = valueAndGradients(op, inputs, weights);
        expect(tf.memory().numTensors).toBe(before);
        expectClose(actual.output, expected.output);
        actual.gradients.forEach((gradient, i) => expectClose(gradient, expected.gradients[i]));
      },
    );
});

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 2e-5) {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const wrong = actual.findIndex((value, i) => !(Math.abs(value - expected[i]) <= tolerance * scale));
  if (wrong >= 0) expect.fail(`element ${wrong} is ${actual[wrong]}, the reference has ${expected[wrong]}`);
}

describe.each(['cpu', ...tuned] as const)('on %s', (backend) => {
  const parameters: Variable[] = [];
  const absent = backend !== 'cpu' && !works(backend);
  beforeAll(async () => {
    if (!absent) await startBackend(backend);
  });
  afterAll(() => tf.dispose(parameters));

  test.skipIf(absent)('AdamW follows its formula over several steps', () => {
    const start = [[1, -2, 3], [0.5]];
    const gradientOf = (p: number, step: number) => Math.sin(3 * p + step);
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, gradientScale: 0.5 };
    const weightDecay = [0.1, 0];
    parameters.push(...start.map((values) => tf.variable(tf.tensor1d(values))));
    const state = createAdamWState(parameters);
    const expected = start.map((values) => values.map((p) => ({ p, m: 0, v: 0 })));
    for (let step = 1; step <= 5; step++) {
      const gradients = expected.map((list) => tf.tensor1d(list.map(({ p }) => gradientOf(p, step))));
      adamWStep(parameters, gradients, state, { ...options, weightDecay, step });
      tf.dispose(gradients);
      expected.forEach((list, i) => {
        for (const e of list) {
          const g = gradientOf(e.p, step) * 0.5;
          e.m = 0.9 * e.m + 0.1 * g;
          e.v = 0.95 * e.v + 0.05 * g * g;
          const update = e.m / (1 - 0.9 ** step) / (Math.sqrt(e.v / (1 - 0.95 ** step)) + 1e-8);
          e.p -= 0.1 * (update + weightDecay[i] * e.p);
        }
      });
    }
    parameters.forEach((p, i) =>
      expectClose(
        Array.from(p.dataSync()),
        expected[i].map(({ p: value }) => value),
      ),
    );
    disposeAdamWState(state);
  });

  test.skipIf(absent)('AdamW leaves the array a parameter came from alone', () => {
    const given = new Float32Array([1, 2]);
    const variable = tf.tidy(() => tf.variable(tf.tensor1d(given)));
    const state = createAdamWState([variable]);
    const gradient = tf.tensor1d([1, 1]);
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, step: 1 };
    adamWStep([variable], [gradient], state, options);
    expect([...given]).toEqual([1, 2]);
    expectClose(Array.from(variable.dataSync()), [0.9, 1.9]);
    disposeAdamWState(state);
    tf.dispose([variable, gradient]);
  });

  test.skipIf(absent)('the global norm counts every gradient', () => {
    const gradients = [normal([20_000]), normal([3, 5])];
    const squares = gradients.flatMap((g) => Array.from(g.dataSync())).reduce((sum, g) => sum + g * g, 0);
    expect(globalNorm(gradients)).toBeCloseTo(Math.sqrt(squares), 3);
    tf.dispose(gradients);
  });
});
