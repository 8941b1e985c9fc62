/**
 * Does masking all but the strongest neurons make a model more robust (Lazy Neuron, 2210.06313)? Some input tokens are replaced by random
 * ones while the tokens to be predicted stay; perplexity, accuracy and calibration are measured with all neurons and with the top k.
 */
import type { LanguageModel } from '../../models/languageModel.ts';
import { finiteOrNull } from '../../numerics/finiteOrNull.ts';
import { Random } from '../../numerics/random.ts';
import { Reliability, type ReliabilityBin } from './reliability.ts';
import { evaluateIntervention, type Advance, type EvaluationText } from './intervention.ts';
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

/** What was measured without noise already, by k: the loss, and how certain and how right the predictions were. */
export type KnownReliability = ReadonlyMap<number, { crossEntropy: number; reliability: Reliability }>;

export async function measureRobustness(
  model: LanguageModel,
  text: EvaluationText,
  ks: readonly number[],
  noises: readonly number[],
  { advance, known }: { advance?: Advance; known?: KnownReliability } = {},
): Promise<RobustnessPoint[]> {
  const points: RobustnessPoint[] = [];
  for (const noise of noises) {
    const inputs = noise === 0 ? text.contexts : corrupted(model, text.contexts, noise);
    for (const k of ks) {
      const measured =
        (noise === 0 ? known?.get(k) : undefined) ?? (await measure(model, { ...text, inputs }, k, advance));
      points.push(point(k, noise, measured));
    }
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

async function measure(model: LanguageModel, text: EvaluationText, k: number, advance: Advance | undefined) {
  const reliability = new Reliability();
  const intervention = k >= model.config.neurons ? {} : { rule: topKRule(k) };
  const { crossEntropy } = await evaluateIntervention(model, text, intervention, { advance, reliability });
  return { crossEntropy, reliability };
}

function point(
  k: number,
  noise: number,
  { crossEntropy, reliability }: { crossEntropy: number; reliability: Reliability },
): RobustnessPoint {
  return {
    k,
    noise,
    perplexity: finiteOrNull(Math.exp(crossEntropy)),
    accuracy: reliability.accuracy(),
    ece: reliability.error(),
    ...(noise === 0 ? { reliability: reliability.bins() } : {}),
  };
}
