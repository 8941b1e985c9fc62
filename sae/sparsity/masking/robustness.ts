/**
 * Does masking all but the strongest neurons make a model more robust (Lazy Neuron, 2210.06313)? Some input tokens are replaced by random
 * ones while the tokens to be predicted stay; perplexity, accuracy and calibration are measured with all neurons and with the top k.
 */
import { nextTokenLosses } from '../../models/crossEntropy.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { finiteOrNull } from '../../numerics/finiteOrNull.ts';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { Reliability, type ReliabilityBin } from './reliability.ts';
import { replacements, type Advance, type EvaluationText } from './intervention.ts';
import { topKRule } from './maskingRule.ts';

export interface RobustnessPoint {
  /** Neurons kept on each token; with all of them the model is unchanged. */
  k: number;
  /** Share of input tokens replaced. */
  noise: number;
  /** Null where it is beyond every number. */
  perplexity: number | null;
  accuracy: number;
  /** Expected calibration error. */
  ece: number;
  /** Only measured without noise. */
  reliability?: ReliabilityBin[];
}

export async function measureRobustness(
  model: LanguageModel,
  text: EvaluationText,
  ks: readonly number[],
  noises: readonly number[],
  advance?: Advance,
): Promise<RobustnessPoint[]> {
  const points: RobustnessPoint[] = [];
  for (const noise of noises) {
    const inputs = corrupted(model, text.contexts, noise);
    for (const k of ks) points.push(await measure(model, text, inputs, { k, noise, advance }));
  }
  return points;
}

/** The input with random tokens in some places. The same places and tokens are used for every k. */
function corrupted(model: LanguageModel, contexts: Int32Array, noise: number): Int32Array {
  const random = Random.fromSeed(0, `token noise ${noise}`);
  const vocabulary = Math.min(model.config.vocabularySize, model.tokenizer.vocabularySize);
  return contexts.map((token) => {
    const replacement = random.below(vocabulary);
    return random.uniform() < noise ? replacement : token;
  });
}

async function measure(
  model: LanguageModel,
  { contexts, seq, batchTokens }: EvaluationText,
  inputs: Int32Array,
  { k, noise, advance }: { k: number; noise: number; advance: Advance | undefined },
): Promise<RobustnessPoint> {
  const predicted = new Reliability();
  const whole = k >= model.config.neurons;
  const step = Math.max(1, Math.floor(batchTokens / seq)) * seq;
  let sum = 0;
  for (let first = 0; first < contexts.length; first += step) {
    const truth = contexts.subarray(first, first + step);
    tf.tidy(() => {
      const shape: [number, number] = [truth.length / seq, seq];
      const labels = tf.tensor2d(truth, shape, 'int32');
      const ids = tf.tensor2d(inputs.subarray(first, first + step), shape, 'int32');
      const replace = whole ? {} : replacements(model, { rule: topKRule(k) });
      const { logits } = model.forward(ids, { replace });
      predicted.add(logits!, labels);
      sum += nextTokenLosses(logits!, labels).sum().dataSync<'float32'>()[0];
    });
    await advance?.(truth.length);
  }
  return {
    k,
    noise,
    perplexity: finiteOrNull(Math.exp(sum / predicted.predictions)),
    accuracy: predicted.accuracy(),
    ece: predicted.error(),
    ...(noise === 0 ? { reliability: predicted.bins() } : {}),
  };
}
