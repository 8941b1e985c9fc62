/**
 * How well a model's confidence is calibrated (Guo et al., 1706.04599; Lazy Neuron, 2210.06313): predictions are put into
 * bins by the probability of the likeliest token, and each bin's mean confidence is compared with its accuracy.
 */
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor2D, type Tensor3D } from '../../tensor/tf.ts';

export interface ReliabilityBin {
  /** Lower edge of the bin; bins are equally wide on (0, 1]. */
  from: number;
  count: number;
  /** Mean confidence and accuracy of the bin's predictions; 0 where it is empty. */
  confidence: number;
  accuracy: number;
}

/** Accumulates predictions by confidence; gives accuracy, expected calibration error and the bins of a reliability diagram. */
export class Reliability {
  readonly #counts: Float64Array;
  readonly #confidence: Float64Array;
  readonly #correct: Float64Array;

  constructor(bins = 15) {
    this.#counts = new Float64Array(bins);
    this.#confidence = new Float64Array(bins);
    this.#correct = new Float64Array(bins);
  }

  /** Adds the predictions of logits [batch, seq, vocab] for tokens [batch, seq]: positions 0 … seq − 2 predict the token after. */
  add(logits: Tensor3D, tokens: Tensor2D): void {
    const [batch, seq] = tokens.shape;
    const confidence = hostValues(() => tf.exp(tf.max(logits, -1).sub(tf.logSumExp(logits, -1))));
    const guesses = tf.tidy(() => tf.argMax(logits, -1));
    const guessed = guesses.dataSync<'int32'>();
    guesses.dispose();
    const truth = tokens.dataSync<'int32'>();
    for (let b = 0; b < batch; b++)
      for (let t = b * seq; t < (b + 1) * seq - 1; t++)
        this.count(confidence[t], guessed[t] === truth[t + 1]);
  }

  /** Adds one prediction. */
  count(confidence: number, correct: boolean): void {
    const { length } = this.#counts;
    const bin = Math.min(length - 1, Math.max(0, Math.ceil(confidence * length) - 1));
    this.#counts[bin]++;
    this.#confidence[bin] += confidence;
    this.#correct[bin] += Number(correct);
  }

  get predictions(): number {
    return this.#counts.reduce((a, b) => a + b, 0);
  }

  accuracy(): number {
    return this.#correct.reduce((a, b) => a + b, 0) / this.predictions;
  }

  /** Expected calibration error: Σ over bins of their share · |accuracy − confidence|. */
  error(): number {
    return this.#counts.reduce(
      (sum, _, bin) => sum + Math.abs(this.#correct[bin] - this.#confidence[bin]) / this.predictions,
      0,
    );
  }

  bins(): ReliabilityBin[] {
    return Array.from(this.#counts, (count, bin) => ({
      from: bin / this.#counts.length,
      count,
      confidence: count === 0 ? 0 : this.#confidence[bin] / count,
      accuracy: count === 0 ? 0 : this.#correct[bin] / count,
    }));
  }
}
