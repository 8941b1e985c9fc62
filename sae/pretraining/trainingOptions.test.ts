import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { Random } from '../numerics/random.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { ActivationPenalty } from './activationPenalty.ts';
import { taskStreams } from './corpusBatches.ts';
import { blockHook } from '../models/hookPoints.ts';
import { l1CoefficientAt, parseLanguageModelTraining } from './languageModelTraining.ts';
import type { Observation } from '../spec/manifests/trainingRecord.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { orthonormal } from './lsuv.ts';
import type { Corpus } from '../tokens/tokenizeCorpus.ts';
import { tinyTraining, toyTraining, type ToyTraining } from '../fixtures/toyTraining.ts';

let root: string;
let corpus: Corpus;
let train: ToyTraining['train'];
let toy: ToyTraining;
beforeAll(async () => {
  await startBackend('auto');
  toy = await toyTraining({ layers: 2 });
  ({ root, corpus, train } = toy);
});
afterAll(() => toy.remove());
const record = (name: string) =>
  JSON.parse(readFileSync(join(root, name, 'training.json'), 'utf8')) as {
    curve: { loss: number }[];
    observations?: Observation[];
  };
/** Share of exact zeros and mean |a| after each W_in, on some tokens. */
async function firing(name: string) {
  const model = await loadLanguageModel(join(root, name));
  const hooks = [0, 1].map((layer) => blockHook(layer, 'mlp.hook_post'));
  const ids = tf.tensor2d(Int32Array.from(corpus.tokens.slice(0, 160)), [10, 16], 'int32');
  const { activations } = model.forward(ids, { read: hooks, readOnly: true });
  const values = hooks.flatMap((hook) => [...activations.get(hook)!.dataSync()]);
  tf.dispose([ids, ...activations.values()]);
  model.dispose();
  return {
    zeros: values.filter((a) => a === 0).length / values.length,
    mean: values.reduce((sum, a) => sum + Math.abs(a), 0) / values.length,
  };
}

describe('ProSparse', () => {
  test('λ is 0 at first, then rises in stages along sines to its end', () => {
    const training = parseLanguageModelTraining({
      ...tinyTraining,
      steps: 1000,
      l1Coefficient: 8,
      l1Stages: 4,
      l1Start: 0.2,
    });
    const at = (step: number) => l1CoefficientAt(training, step);
    expect(at(1)).toBe(0);
    expect(at(200)).toBe(0);
    [400, 600, 800, 1000].forEach((step, stage) => expect(at(step)).toBeCloseTo(2 * (stage + 1), 10));
    expect(at(300)).toBeCloseTo(1, 10);
    // A sine rises slowly at both ends of a stage and fastest in the middle.
    expect(at(220) - at(200)).toBeLessThan((at(310) - at(290)) / 4);
    for (let step = 2; step <= 1000; step++) expect(at(step)).toBeGreaterThanOrEqual(at(step - 1));
  });

  test('the penalty is λ · mean |a| over layers and entries, and its gradient the sign over their number', () => {
    const values = [tf.tensor3d([1, -2, 0.5, 3], [1, 2, 2]), tf.tensor3d([-4, 1, 1, 2], [1, 2, 2])];
    const penalty = new ActivationPenalty(2, 0.6);
    const tap = penalty.tap();
    const total = (x: Tensor) => {
      tap.pass('blocks.0.mlp.hook_post', x, [1, 2, 2]);
      tap.pass('blocks.1.mlp.hook_post', values[1], [1, 2, 2]);
      return penalty.addTo(tf.scalar(10));
    };
    const { value, grad } = tf.valueAndGrad(total)(values[0]);
    expect(value.dataSync()[0]).toBeCloseTo(10 + (0.6 * (6.5 / 4 + 8 / 4)) / 2, 5);
    grad.dataSync().forEach((g, i) => expect(g).toBeCloseTo((0.6 / 8) * [1, -1, 1, 1][i], 6));
    penalty.dispose();
  });

  test('makes a model sparser than it would be; the threshold shift goes into its folder as FATReLU', async () => {
    const options = { steps: 120 };
    const plain = await train('plain', options);
    const before = tf.memory().numTensors;
    await train('prosparse', { ...options, l1Coefficient: 3 });
    expect(tf.memory().numTensors).toBe(before);
    const [without, sparse] = [await firing('plain'), await firing('prosparse')];
    expect(sparse.mean).toBeLessThan(without.mean / 2);
    expect(Number.isFinite(plain.loss)).toBe(true);

    await train('shifted', { ...options, thresholdShift: 0.25 });
    const model = await loadLanguageModel(join(root, 'shifted'));
    expect(model.config.activation).toBe('fatrelu');
    const y = model.activate(1, tf.tensor1d([-1, 0.2, 0.3])).dataSync();
    expect(y[0] + y[1]).toBe(0);
    expect(y[2]).toBeCloseTo(0.3, 6);
    model.dispose();
    expect((await firing('shifted')).zeros).toBeGreaterThan(without.zeros);
    await expect(train('silu-shifted', { activation: 'silu', thresholdShift: 0.1 })).rejects.toThrow(
      /--threshold-shift\) is of relu/,
    );
  });
});

test('LSUV: orthonormal matrices, and variance 1 at every watched place before the first step', async () => {
  for (const shape of [
    [5, 9],
    [9, 5],
  ] as const) {
    const values = orthonormal(shape, Random.fromSeed(1));
    const a = tf.tensor2d(values, [...shape]);
    const gram = (shape[0] < shape[1] ? a.matMul(a, false, true) : a.matMul(a, true, false)).dataSync();
    gram.forEach((g, at) => expect(g).toBeCloseTo(at % 6 === 0 ? 1 : 0, 5));
  }
  for (const family of ['gpt2', 'llama'] as const) {
    const variances: number[] = [];
    await train(
      `lsuv-${family}`,
      { family, initialisation: 'lsuv', steps: 1 },
      {
        observer: {
          steps: [],
          async observe(model: Awaited<ReturnType<typeof loadLanguageModel>>, contexts: Int32Array) {
            const hooks = [0, 1].flatMap((layer) =>
              (['hook_attn_out', 'mlp.hook_pre', 'hook_mlp_out'] as const).map((h) => blockHook(layer, h)),
            );
            const ids = tf.tensor2d(contexts, [contexts.length / 16, 16], 'int32');
            const { activations } = model.forward(ids, { read: hooks, readOnly: true });
            for (const hook of hooks)
              variances.push(tf.moments(activations.get(hook)!).variance.dataSync()[0]);
            return {};
          },
        },
      },
    );
    expect(variances).toHaveLength(6);
    // The variances are measured on little text, and not on the batch used for scaling, so they are only near 1.
    for (const variance of variances) expect(Math.abs(Math.log(variance))).toBeLessThan(0.7);
  }
});

test('random labels and inputs: one draw for each place of the text, the other side untouched', async () => {
  const tokens = Uint16Array.from({ length: 5000 }, (_, i) => i % 280);
  const draw = { vocabularySize: 280, seed: 3 };
  const labels = taskStreams(tokens, 'random-labels', draw);
  const inputs = taskStreams(tokens, 'random-inputs', draw);
  expect(labels.inputs).toBe(tokens);
  expect(inputs.labels).toBe(tokens);
  for (const drawn of [labels.labels, inputs.inputs]) {
    const same = drawn.filter((token, i) => token === tokens[i]).length;
    expect(same).toBeLessThan(60);
    expect(Math.max(...drawn)).toBe(279);
  }
  expect(taskStreams(tokens, 'random-labels', draw).labels).toEqual(labels.labels);
  // Random labels of held-out text cannot be predicted.
  const result = await train('random-labels', { task: 'random-labels', steps: 60 });
  expect(result.validationLoss).toBeGreaterThan(Math.log(280) - 0.1);
});

test('parameters of an activation function are trained, kept in the folder, and replaced with the function', async () => {
  await train('swish', { activation: 'swish_beta' });
  const file = await readSafetensors(join(root, 'swish', 'model.safetensors'));
  const trained = [0, 1].map((layer) => file.float32(`transformer.h.${layer}.mlp.activation.beta`)[0]);
  for (const beta of trained) expect(Math.abs(beta - 1)).toBeGreaterThan(1e-3);
  const model = await loadLanguageModel(join(root, 'swish'));
  expect(model.activate(0, tf.tensor1d([1])).dataSync()[0]).toBeCloseTo(1 / (1 + Math.exp(-trained[0])), 5);
  model.dispose();
  const before = tf.memory().numTensors;
  const snake = await loadLanguageModel(join(root, 'swish'), { replaceActivation: 'snake' });
  expect(snake.config.activation).toBe('snake');
  expect(tf.tidy(() => snake.activate(0, tf.tensor1d([1])).dataSync()[0])).toBeCloseTo(
    1 + Math.sin(1) ** 2,
    5,
  );
  snake.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('StochA’s coins are the step’s: a resumed training ends with the same bits', async () => {
  const config = { activation: 'stocha' } as const;
  await train('stocha', config);
  const stop = new AbortController();
  await expect(
    train('stocha-resumed', config, {
      signal: stop.signal,
      report: ({ done }: { done: number }) => done === 11 && stop.abort(),
    }),
  ).rejects.toThrow(/Stopped at step 11/);
  await train('stocha-resumed', config, { resume: true });
  const bytes = (name: string) => readFileSync(join(root, name, 'model.safetensors'));
  expect(bytes('stocha-resumed').equals(bytes('stocha'))).toBe(true);
});

test('an observer looks before the first step and after those it names, and is written down', async () => {
  await train(
    'observed',
    {},
    {
      observer: {
        steps: [1, 7, 24],
        observe: async (model: { parameterCount(): number }, contexts: Int32Array) => ({
          parameters: model.parameterCount(),
          contexts: contexts.length,
        }),
      },
    },
  );
  const { observations } = record('observed');
  expect(observations!.map(({ step, tokens }) => [step, tokens])).toEqual([
    [0, 0],
    [1, 64],
    [7, 448],
    [24, 1536],
  ]);
  expect(observations![0]).toMatchObject({ contexts: 64 });
});
