/**
 * How differently two models predict the same text (Smooth activations and reproducibility in deep networks, 2010.09931): models
 * that differ in their seeds only should predict alike.
 */
import { LazyscopeError } from '../../errors.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { KernelAlignment } from '../depth/kernelAlignment.ts';
import { tf, type Tensor2D, type Tensor3D } from '../../tensor/tf.ts';

export interface PredictionDifference {
  /** Mean over predictions of ½ Σ |p − q|. */
  totalVariation: number;
  /** The paper's relative prediction difference, for the probabilities p and q of the true next token: mean |p − q| over mean (p + q)/2. */
  relative: number;
  /** Share of predictions whose likeliest token differs. */
  disagreement: number;
  /** Linear CKA between the final normalised residual streams of the two models; null where one does not vary. */
  alignment: number | null;
  crossEntropies: [number, number];
  predictions: number;
}

/** contexts [contexts · seq], in batches of `batchContexts`. Throws 'bad_input' when the vocabularies differ. */
export function predictionDifference(
  a: LanguageModel,
  b: LanguageModel,
  contexts: Int32Array,
  seq: number,
  batchContexts = 8,
): PredictionDifference {
  if (a.config.vocabularySize !== b.config.vocabularySize)
    throw new LazyscopeError(
      'bad_input',
      `'${a.name}' has ${a.config.vocabularySize} tokens and '${b.name}' ${b.config.vocabularySize}: their predictions can't be compared.`,
    );
  let [variation, difference, level, differing, predictions] = [0, 0, 0, 0, 0];
  const losses: [number, number] = [0, 0];
  const alignment = new KernelAlignment(a.config.d, b.config.d);
  for (let first = 0; first < contexts.length; first += batchContexts * seq) {
    const part = contexts.subarray(first, first + batchContexts * seq);
    const ids = tf.tensor2d(part, [part.length / seq, seq], 'int32');
    const [{ probabilities: p, residual: x }, { probabilities: q, residual: y }] = [a, b].map((model) =>
      predict(model, ids),
    );
    alignment.add(x, y);
    const distance = hostValues(() => p.sub(q).abs().sum(-1).mul(0.5));
    const guesses = [p, q].map((each) => {
      const best = tf.argMax(each, -1);
      const values = best.dataSync<'int32'>();
      best.dispose();
      return values;
    });
    const [pHost, qHost] = [p.dataSync<'float32'>(), q.dataSync<'float32'>()];
    const vocabulary = a.config.vocabularySize;
    for (let t = 0; t < part.length; t++) {
      if (t % seq === seq - 1) continue;
      const at = t * vocabulary + part[t + 1];
      variation += distance[t];
      difference += Math.abs(pHost[at] - qHost[at]);
      level += (pHost[at] + qHost[at]) / 2;
      if (guesses[0][t] !== guesses[1][t]) differing++;
      losses[0] -= Math.log(pHost[at]);
      losses[1] -= Math.log(qHost[at]);
      predictions++;
    }
    tf.dispose([ids, p, q]);
  }
  return {
    totalVariation: variation / predictions,
    relative: difference / level,
    disagreement: differing / predictions,
    alignment: Number.isFinite(alignment.value()) ? alignment.value() : null,
    crossEntropies: [losses[0] / predictions, losses[1] / predictions],
    predictions,
  };
}

/** Next-token probabilities [batch, seq, vocab], which the caller disposes, and the final normalised residual stream [batch × seq, d]. */
function predict(model: LanguageModel, ids: Tensor2D): { probabilities: Tensor3D; residual: Float32Array } {
  const { logits, activations } = model.forward(ids, { read: [lastHook] });
  const probabilities = tf.softmax(logits!) as Tensor3D;
  const residual = activations.get(lastHook)!.dataSync<'float32'>().slice();
  tf.dispose([logits!, ...activations.values()]);
  return { probabilities, residual };
}

const lastHook = 'ln_final.hook_normalized';
