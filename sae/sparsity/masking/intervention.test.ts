import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { meanCrossEntropy } from '../../models/crossEntropy.ts';
import type { DecoderModel } from '../../models/decoderModel.ts';
import { blockHook } from '../../models/hookPoints.ts';
import { randomModel } from '../../fixtures/randomModel.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import { evaluateIntervention, type MeasuredIntervention } from './intervention.ts';
import { lowRankCorrection, lowRankOutput, outputDirections } from './lowRankOutput.ts';
import { measureInterventions } from './measureInterventions.ts';
import { multiplyAdds, savedMultiplyAdds } from './multiplyAdds.ts';
import { pplP, pplPEvaluations } from './pplP.ts';
import { predictionDifference } from './predictionDifference.ts';
import { randomRule, topKRule } from './maskingRule.ts';
import { measureRobustness } from './robustness.ts';
import { sampledLayer } from './sampledLayer.ts';

beforeAll(async () => {
  await startBackend('auto');
});
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

const seq = 16;
const random = Random.fromSeed(1);
const contexts = Int32Array.from({ length: 12 * seq }, () => random.below(257));
const text = { contexts, seq, batchTokens: 64 };
const blank = { crossEntropy: 0, sparsity: 0, sparsityByLayer: [], closedByLayer: [] };
const allMasked = { rule: ({ a }: { a: Float32Array }) => void a.fill(0) };

describe.each([
  { family: 'gpt2', activation: 'relu' },
  { family: 'llama', activation: 'silu' },
] as const)('$family with $activation', (choice) => {
  let model: DecoderModel;
  beforeEach(() => {
    model = randomModel(choice);
  });
  afterEach(() => model.dispose());

  test('without a rule it is the model; with every neuron masked, the model without what its MLPs read', async () => {
    const whole = await evaluateIntervention(model, text, {});
    expect(whole.crossEntropy).toBeCloseTo(meanCrossEntropy(model, contexts, seq), 5);
    expect(whole.perplexity).toBeCloseTo(Math.exp(whole.crossEntropy), 10);
    expect(await evaluateIntervention(model, text, { rule: topKRule(24) })).toEqual(whole);

    const nothing = await evaluateIntervention(model, text, allMasked);
    const hooks = [0, 1].map((layer) => blockHook(layer, 'mlp.hook_post'));
    const replace = Object.fromEntries(hooks.map((hook) => [hook, (a: Tensor) => tf.zerosLike(a)]));
    expect(nothing.sparsity).toBe(1);
    expect(nothing.crossEntropy).toBeCloseTo(meanCrossEntropy(model, contexts, seq, { replace }), 5);
    expect(nothing.crossEntropy).not.toBeCloseTo(whole.crossEntropy, 2);
  });

  test('top-k leaves exactly k of n, layer by layer', async () => {
    const { sparsity, sparsityByLayer } = await evaluateIntervention(model, text, { rule: topKRule(6) });
    if (choice.activation === 'silu') expect(sparsity).toBe(0.75);
    else expect(sparsity).toBeGreaterThanOrEqual(0.75);
    expect(sparsityByLayer).toHaveLength(2);
  });

  test('R-Sparse at full rank loses nothing, at rank 0 everything that is masked', async () => {
    const outputs = [0, 1].map((layer) => model.neuronOutputs(layer));
    const factors = outputs.map((each) => lowRankOutput(each, 16));
    const { crossEntropy: whole } = await evaluateIntervention(model, text, {});
    const rule = () => randomRule(0.6, Random.fromSeed(2));
    const at = async (rank: number) =>
      (
        await evaluateIntervention(model, text, {
          rule: rule(),
          correct: lowRankCorrection(factors, rank),
        })
      ).crossEntropy;
    expect(await at(16)).toBeCloseTo(whole, 4);
    const { crossEntropy: lost } = await evaluateIntervention(model, text, { rule: rule() });
    expect(await at(1)).not.toBeCloseTo(lost, 4);
    tf.dispose([...outputs, ...factors.flatMap(({ coordinates, directions }) => [coordinates, directions])]);
  });

  test('the whole battery: PPL-p % within its limits, every method on the plot, robustness at each k and noise', async () => {
    const hooks = [0, 1].map((layer) => blockHook(layer, 'mlp.hook_post'));
    const ids = tf.tensor2d(contexts, [12, seq], 'int32');
    const { activations } = model.forward(ids, { read: hooks, readOnly: true });
    const samples = hooks.map((hook, layer) =>
      sampledLayer(model, layer, activations.get(hook)!.dataSync<'float32'>().slice()),
    );
    tf.dispose([ids, ...activations.values()]);
    const report = await measureInterventions(model, samples, { contexts, seq }, { tokens: 96 });
    expect(report.tokens).toBe(96);
    const [none] = report.tradeoff;
    expect(none).toMatchObject({ method: 'none', perplexity: report.perplexity });
    for (const { p, perplexity, ratio } of report.pplP) {
      expect(perplexity).toBeLessThanOrEqual(report.perplexity * (1 + p / 100));
      expect(ratio).toBeLessThanOrEqual(1 - none.sparsity + 1e-9);
    }
    const methods = new Set(report.tradeoff.map(({ method }) => method));
    const expected = [
      'none',
      'cett',
      'topk',
      'spark',
      'spark-soft',
      'fatrelu',
      'teal',
      'rsparse',
      'magnitude',
      'random',
    ];
    if (choice.activation === 'relu') expected.push('circa');
    expect([...methods].sort()).toEqual(expected.sort());
    for (const { sparsity, savedOfMlp, method } of report.tradeoff) {
      expect(sparsity).toBeGreaterThanOrEqual(0);
      if (method !== 'rsparse') expect(savedOfMlp).toBeGreaterThanOrEqual(0);
      expect(savedOfMlp).toBeLessThan(1);
    }
    const matrices = model.config.gated ? 3 : 2;
    for (const { method, rank, sparsity, savedOfMlp, sparedOf = {} } of report.tradeoff) {
      expect(Object.keys(sparedOf)).toEqual(
        model.config.gated ? ['W_gate', 'W_up', 'W_down'] : ['W_in', 'W_down'],
      );
      expect(sparedOf.W_down).toBeCloseTo(sparsity, 9);
      // Only a draw knows which neurons are masked before W_in or W_gate has been computed.
      expect((sparedOf.W_in ?? sparedOf.W_gate) > 0).toBe(method === 'random');
      const all = Object.values(sparedOf).reduce((sum, share) => sum + share, 0);
      if (rank === undefined) expect(savedOfMlp).toBeCloseTo(all / matrices, 9);
      else expect(savedOfMlp).toBeLessThan(all / matrices);
    }
    expect(new Set(report.robustness.map(({ noise }) => noise))).toEqual(new Set([0, 0.05, 0.1, 0.2]));
  });
});

test('the truncation of W_down is the best of its rank: its error is the singular values left out', () => {
  const outputs = tf.tensor2d(Random.fromSeed(3).normals(30 * 8), [30, 8]);
  const directions = outputDirections(outputs, 8);
  const gramTrace = tf.tidy(() => outputs.square().sum().dataSync()[0]);
  let last = gramTrace;
  for (const rank of [1, 4, 8]) {
    const error = tf.tidy(() => {
      const v = directions.slice([0, 0], [rank, -1]);
      const truncated = outputs.matMul(v, false, true).matMul(v);
      // What is kept and what is lost are orthogonal.
      expect(truncated.mul(outputs.sub(truncated)).sum().dataSync()[0]).toBeCloseTo(0, 3);
      return outputs.sub(truncated).square().sum().dataSync()[0];
    });
    expect(error).toBeLessThan(last);
    last = error;
  }
  expect(last).toBeCloseTo(0, 5);
  tf.dispose([outputs, directions]);
});

test('multiply-adds of a small model, by hand', () => {
  const model = randomModel({ d: 16, layers: 2, heads: 4, neurons: 24 });
  const { mlpLayer, mlp, attention, unembedding, total } = multiplyAdds(model.config, 32);
  expect([mlpLayer, mlp, unembedding]).toEqual([2 * 16 * 24, 4 * 16 * 24, 16 * 257]);
  expect(attention).toBe(2 * (4 * 16 * 16 + 2 * 16 * 16));
  expect(total).toBe(mlp + attention + unembedding);
  const half = { masked: 0.5, closed: 0.25 };
  for (const knownFrom of ['gate', 'value'] as const)
    expect(savedMultiplyAdds(model.config, { ...half, knownFrom })).toBe(0.5 * 16 * 24);
  expect(savedMultiplyAdds(model.config, { ...half, knownFrom: 'draw', drawn: 0.4 })).toBeCloseTo(
    (0.5 + 0.4) * 16 * 24,
    9,
  );
  expect(savedMultiplyAdds(model.config, { ...half, knownFrom: 'value' }, 2)).toBe(
    0.5 * 16 * 24 - 2 * (24 + 16),
  );
  model.dispose();
  const gated = randomModel({ family: 'llama', d: 16, layers: 2, heads: 4, neurons: 24 });
  expect(multiplyAdds(gated.config, 32).mlpLayer).toBe(3 * 16 * 24);
  expect(savedMultiplyAdds(gated.config, { ...half, knownFrom: 'gate' })).toBe(16 * 24);
  // A closed gate spares its column of W_up whatever the rule looks at.
  expect(savedMultiplyAdds(gated.config, { ...half, knownFrom: 'value' })).toBe(0.75 * 16 * 24);
  expect(savedMultiplyAdds(gated.config, { ...half, knownFrom: 'draw', drawn: 0.4 })).toBeCloseTo(
    (0.4 + 0.5 + 0.5) * 16 * 24,
    9,
  );
  gated.dispose();
});

test('PPL-p % finds where perplexity crosses, with one search for all p', async () => {
  let calls = 0;
  const evaluate = async (cett: number): Promise<MeasuredIntervention> => {
    calls++;
    const perplexity = 20 * (1 + cett ** 2);
    return {
      perplexity,
      crossEntropy: Math.log(perplexity),
      sparsity: cett / 2,
      sparsityByLayer: [],
      closedByLayer: [],
    };
  };
  const points = await pplP(evaluate, 20, [0.1, 1, 5, 10, 200]);
  points.slice(0, 4).forEach(({ p, cett, ratio, perplexity }) => {
    const exact = Math.sqrt(p / 100);
    expect(cett).toBeLessThanOrEqual(exact);
    // Within a tenth of the rise.
    expect(perplexity).toBeGreaterThan(20 * (1 + (0.9 * p) / 100) - 1e-9);
    expect(ratio).toBeCloseTo(1 - cett / 2, 12);
  });
  expect(points[4]).toEqual({ p: 200, cett: 1, ratio: 0.5, perplexity: 40 });
  expect(calls).toBeLessThan(40);
  expect(calls).toBeLessThanOrEqual(pplPEvaluations([0.1, 1, 5, 10, 200]));
});

test('PPL-p % looks only between measurements that there are', async () => {
  const asked: number[] = [];
  const evaluate = async (cett: number): Promise<MeasuredIntervention> => {
    asked.push(cett);
    const perplexity = 20 * (1 + cett ** 2);
    return {
      perplexity,
      crossEntropy: Math.log(perplexity),
      sparsity: cett,
      sparsityByLayer: [],
      closedByLayer: [],
    };
  };
  const known = new Map([0.28, 0.33].map((cett) => [cett, { ...blank, perplexity: 20 * (1 + cett ** 2) }]));
  const [point] = await pplP(evaluate, 20, [10], known);
  expect(point.cett).toBeLessThanOrEqual(Math.sqrt(0.1));
  expect(point.perplexity).toBeGreaterThan(20 * (1 + 0.9 * 0.1));
  // Both ends are always measured; the others lie between the two that were known.
  expect(asked.slice(0, 2)).toEqual([0, 1]);
  for (const cett of asked.slice(2)) expect(Math.abs(cett - 0.305)).toBeLessThan(0.025);
  expect([...known.keys()]).toEqual([0.28, 0.33]);
});

test('what the activation function read and gave is there for a rule, and closed gates are counted', async () => {
  const model = randomModel({ family: 'llama', activation: 'relu' });
  const hooks = [0, 1].flatMap((layer) =>
    (['mlp.hook_pre', 'mlp.hook_post'] as const).map((at) => blockHook(layer, at)),
  );
  const ids = tf.tensor2d(contexts, [12, seq], 'int32');
  const { activations } = model.forward(ids, { read: hooks, readOnly: true });
  const read = (layer: number, at: 'mlp.hook_pre' | 'mlp.hook_post') =>
    activations.get(blockHook(layer, at))!.dataSync<'float32'>();
  const seen: string[] = [];
  const { closedByLayer, sparsityByLayer } = await evaluateIntervention(
    model,
    { ...text, batchTokens: contexts.length },
    {
      rule: ({ a, pre, act, layer }) => {
        expect([...a]).toEqual([...read(layer, 'mlp.hook_post')]);
        expect([...pre]).toEqual([...read(layer, 'mlp.hook_pre')]);
        expect([...act]).toEqual(Array.from(pre, (x) => Math.max(0, x)));
        seen.push(`layer ${layer}`);
      },
    },
  );
  expect(seen).toEqual(['layer 0', 'layer 1']);
  for (const layer of [0, 1]) {
    const pre = read(layer, 'mlp.hook_pre');
    const closed = pre.filter((x) => x <= 0).length / pre.length;
    expect(closed).toBeGreaterThan(0.2);
    expect(closedByLayer[layer]).toBeCloseTo(closed, 12);
    expect(sparsityByLayer[layer]).toBeGreaterThanOrEqual(closed);
  }
  tf.dispose([ids, ...activations.values()]);
  model.dispose();
});

test('noise costs perplexity, the same for every k, and none costs none', async () => {
  const model = randomModel({ activation: 'gelu' });
  const points = await measureRobustness(model, text, [24, 6], [0, 0.5]);
  expect(points.map(({ k, noise }) => [k, noise])).toEqual([
    [24, 0],
    [6, 0],
    [24, 0.5],
    [6, 0.5],
  ]);
  expect(Math.log(points[0].perplexity!)).toBeCloseTo(meanCrossEntropy(model, contexts, seq), 4);
  const top = await evaluateIntervention(model, text, { rule: topKRule(6) });
  expect(Math.log(points[1].perplexity!)).toBeCloseTo(top.crossEntropy, 4);
  expect(points[2].perplexity).not.toBeCloseTo(points[0].perplexity!, 1);
  for (const { reliability, noise } of points) expect(reliability === undefined).toBe(noise > 0);
  model.dispose();
});

test('a model differs from itself by nothing, and two models by what their probabilities say', () => {
  const [a, b] = [randomModel({ seed: 1 }), randomModel({ seed: 2 })];
  const few = contexts.subarray(0, 2 * seq);
  expect(predictionDifference(a, a, few, seq).alignment).toBeCloseTo(1, 4);
  expect(predictionDifference(a, a, few, seq)).toMatchObject({
    totalVariation: 0,
    relative: 0,
    disagreement: 0,
  });
  const found = predictionDifference(a, b, few, seq, 1);
  const ids = tf.tensor2d(few, [2, seq], 'int32');
  const [p, q] = [a, b].map((model) =>
    tf.tidy(() => tf.softmax(model.forward(ids).logits!).dataSync<'float32'>().slice()),
  );
  let [variation, count] = [0, 0];
  for (let t = 0; t < 2 * seq; t++) {
    if (t % seq === seq - 1) continue;
    for (let v = 0; v < 257; v++) variation += Math.abs(p[t * 257 + v] - q[t * 257 + v]) / 2;
    count++;
  }
  expect(found.predictions).toBe(count);
  expect(found.totalVariation).toBeCloseTo(variation / count, 5);
  expect(found.disagreement).toBeGreaterThan(0.5);
  expect(found.alignment).toBeLessThan(0.95);
  expect(found.crossEntropies[0]).toBeCloseTo(meanCrossEntropy(a, few, seq), 4);
  const other = randomModel({ vocabularySize: 300 });
  expect(() => predictionDifference(a, other, few, seq)).toThrow(/257 tokens and 'random' 300/);
  ids.dispose();
  for (const model of [a, b, other]) model.dispose();
});
