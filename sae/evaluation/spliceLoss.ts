/**
 * What a dictionary costs the language model: its loss with a hook point replaced by the reconstruction, by zero and
 * by the mean activation, against its loss as it is (METHODS.md §2).
 *
 * Positions before the capture's first position keep their own activation in every variant, since the dictionary
 * never saw such positions; predictions made there are left out of the means. Rows that are left
 * out of training keep their own activation too, but predictions made there count: the losses are of all tokens.
 */
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { finiteOrNull } from '../numerics/finiteOrNull.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';

export interface SpliceLoss {
  /** Mean cross-entropy in nats per predicted token: unchanged, with the reconstruction, with zeros and with the mean in place. */
  crossEntropy: { clean: number; sae: number; zero: number; mean: number };
  /** (CE_zero − CE_sae) / (CE_zero − CE_clean): 1 for the identity, 0 for zero ablation, null where that costs nothing. */
  ceRecovered: number | null;
  /** (CE_mean − CE_sae) / (CE_mean − CE_clean): the same against mean ablation. */
  ceRecoveredMean: number | null;
  /** Mean over predicted tokens of KL(clean ‖ sae) between the distributions of the next token, in nats. */
  klDivergence: number;
}

export interface SpliceOptions {
  model: LanguageModel;
  hook: HookPoint;
  /** [contexts × contextLength] */
  tokens: Int32Array;
  contextLength: number;
  firstPosition: number;
  /** 1 for each row that keeps its own activation [contexts × (contextLength − firstPosition)]; null for none. */
  keepsOwn?: Uint8Array | null | undefined;
  /** x [rows, width] → x̂ [rows, width] */
  reconstruct: (x: Tensor2D) => Tensor2D;
  /** [width]: the mean activation, which mean ablation puts in place of every vector. */
  mean: Float32Array;
  /** Called after each batch with the number of contexts done. */
  progress?: (contexts: number) => void;
}

/** The batch is chosen such that the logits of one forward pass are at most this many numbers. */
const largestLogits = 1 << 24;

export async function spliceLoss(options: SpliceOptions): Promise<SpliceLoss> {
  const { model, tokens, contextLength, firstPosition } = options;
  const contexts = tokens.length / contextLength;
  const perContext = contextLength * model.config.vocabularySize;
  const batch = Math.min(contexts, Math.max(1, Math.floor(largestLogits / perContext)));
  const sums = { clean: 0, sae: 0, zero: 0, mean: 0, divergence: 0 };
  for (let from = 0; from < contexts; from += batch) {
    const to = Math.min(from + batch, contexts);
    const rows = contextLength - firstPosition;
    const keepsOwn = options.keepsOwn?.subarray(from * rows, to * rows);
    addBatch({ ...options, keepsOwn }, tokens.subarray(from * contextLength, to * contextLength), sums);
    options.progress?.(to);
    await new Promise((next) => setImmediate(next));
  }
  const predictions = contexts * (contextLength - 1 - firstPosition);
  const [clean, sae, zero, mean] = [sums.clean, sums.sae, sums.zero, sums.mean].map(
    (sum) => sum / predictions,
  );
  return {
    crossEntropy: { clean, sae, zero, mean },
    ceRecovered: finiteOrNull((zero - sae) / (zero - clean)),
    ceRecoveredMean: finiteOrNull((mean - sae) / (mean - clean)),
    klDivergence: sums.divergence / predictions,
  };
}

type Sums = Record<'clean' | 'sae' | 'zero' | 'mean' | 'divergence', number>;

function addBatch(options: SpliceOptions, tokens: Int32Array, sums: Sums): void {
  const { contextLength, firstPosition, mean } = options;
  const contexts = tokens.length / contextLength;
  tf.tidy(() => {
    const input = tf.tensor2d(tokens, [contexts, contextLength], 'int32');
    const next = input.slice([0, firstPosition + 1]).reshape<Tensor1D>([-1]);
    const loss = (logits: Tensor2D) => tf.sum(softmaxCrossEntropy(logits, next)).dataSync()[0];
    const clean = logitsOf(options, input);
    sums.clean += loss(clean);
    const spliced = logitsOf(options, input, options.reconstruct);
    sums.sae += loss(spliced);
    sums.divergence += divergence(clean, spliced);
    tf.dispose([clean, spliced]);
    const zeros = logitsOf(options, input, (x) => tf.zerosLike(x));
    sums.zero += loss(zeros);
    zeros.dispose();
    sums.mean += loss(logitsOf(options, input, (x) => tf.zerosLike(x).add(tf.tensor1d(mean))));
  });
}

/** Logits of the predictions that count, [contexts × (contextLength − 1 − firstPosition), vocabulary]. */
function logitsOf(
  { model, hook, firstPosition, keepsOwn }: SpliceOptions,
  input: Tensor2D,
  substitute?: (x: Tensor2D) => Tensor2D,
): Tensor2D {
  return tf.tidy(() => {
    const partly = substitute && keepsOwn ? keepingOwn(substitute, keepsOwn) : substitute;
    const replace = partly && { [hook]: (x: Tensor) => replaceFrom(x, firstPosition, partly) };
    const { logits, activations } = model.forward(input, { replace });
    tf.dispose([...activations.values()]);
    if (!logits) throw new Error('the model returned no logits');
    const [contexts, length, vocabulary] = logits.shape;
    return logits
      .slice([0, firstPosition, 0], [contexts, length - 1 - firstPosition, vocabulary])
      .reshape<Tensor2D>([-1, vocabulary]);
  });
}

/** As `substitute`, but for the rows that keep what they have. */
function keepingOwn(substitute: (x: Tensor2D) => Tensor2D, keepsOwn: Uint8Array): (x: Tensor2D) => Tensor2D {
  return (x) =>
    tf.tidy(() => {
      const own = tf.tensor2d(Array.from(keepsOwn, Boolean), [keepsOwn.length, 1], 'bool');
      return tf.where(own, x, substitute(x)) as Tensor2D;
    });
}

/** Substitutes the vectors of x [batch, seq, …] at positions from `first` on; all axes after seq together are one vector. */
function replaceFrom(x: Tensor, first: number, substitute: (rows: Tensor2D) => Tensor2D): Tensor {
  return tf.tidy(() => {
    const [batch, seq] = x.shape;
    const vectors = x.reshape([batch, seq, -1]);
    const width = vectors.shape[2] ?? 0;
    const rows = vectors.slice([0, first, 0]).reshape<Tensor2D>([-1, width]);
    const substituted = substitute(rows).reshape([batch, seq - first, width]);
    return tf.concat([vectors.slice([0, 0, 0], [batch, first, width]), substituted], 1).reshape(x.shape);
  });
}

/** Σ over rows of KL(p ‖ q) of softmaxed logits. */
function divergence(p: Tensor2D, q: Tensor2D): number {
  return tf.tidy(() => {
    const logP = tf.logSoftmax(p);
    const terms = tf.exp(logP).mul(tf.sub(logP, tf.logSoftmax(q)));
    return tf.sum(terms).dataSync()[0];
  });
}
