/**
 * Which tokens a training step sees. They depend only on the seed and the step, so that a resumed training reads the same
 * batches as an uninterrupted one. Every epoch cuts the text at a new offset into sequences and goes
 * through them in a fresh permutation. A sequence starts with <|endoftext|>, as contexts do when activations are
 * captured (packTokens.ts): many heads attend to the first position by default, so no word should be there.
 */
import { LazyscopeError } from '../errors.ts';
import type { LanguageModelTraining } from './languageModelTraining.ts';
import { Random } from '../numerics/random.ts';
import { endOfTextId } from '../tokens/tokenizerFiles.ts';

const blockTokens = 8192;

/** Cuts held-out blocks out of a text, spread evenly over it: the text is divided into equal parts, and each ends with a held-out block. */
export function holdOut(
  tokens: Uint16Array,
  fraction: number,
): { training: Uint16Array; heldOut: Uint16Array } {
  const block = Math.min(blockTokens, Math.max(1, Math.floor((tokens.length * fraction) / 4)));
  const every = Math.max(2, Math.round(1 / fraction));
  const blocks = Math.floor(tokens.length / block);
  const isHeldOut = (b: number) => b % every === every - 1;
  const count = Math.floor(blocks / every) * block;
  const training = new Uint16Array(tokens.length - count);
  const heldOut = new Uint16Array(count);
  let t = 0;
  let h = 0;
  for (let b = 0; b <= blocks; b++) {
    const part = tokens.subarray(b * block, Math.min(tokens.length, (b + 1) * block));
    if (b < blocks && isHeldOut(b)) {
      heldOut.set(part, h);
      h += part.length;
    } else {
      training.set(part, t);
      t += part.length;
    }
  }
  return { training, heldOut };
}

/** Inputs and the tokens that follow them, each [batch × seq]. */
export interface SequenceBatch {
  inputs: Int32Array;
  labels: Int32Array;
}

/** The tokens that are read and the tokens that are to be predicted at each place of the text; in ordinary training the two are the same. */
export interface TokenStreams {
  inputs: Uint16Array;
  labels: Uint16Array;
}

/** The streams of a training task: for random inputs or random labels, tokens drawn uniformly once for each place replace one of the two. */
export function taskStreams(
  tokens: Uint16Array,
  task: LanguageModelTraining['task'],
  draw: { vocabularySize: number; seed: number },
): TokenStreams {
  if (task === 'text') return { inputs: tokens, labels: tokens };
  const random = Random.fromSeed(draw.seed, task);
  const drawn = Uint16Array.from(tokens, () => random.below(draw.vocabularySize));
  return task === 'random-labels' ? { inputs: tokens, labels: drawn } : { inputs: drawn, labels: tokens };
}

/** The sequences whose labels are the `contextLength` tokens from each start on. */
export function sequencesAt(
  streams: TokenStreams,
  starts: readonly number[],
  contextLength: number,
): SequenceBatch {
  const inputs = new Int32Array(starts.length * contextLength);
  const labels = new Int32Array(starts.length * contextLength);
  starts.forEach((start, row) => {
    inputs[row * contextLength] = endOfTextId;
    inputs.set(streams.inputs.subarray(start, start + contextLength - 1), row * contextLength + 1);
    labels.set(streams.labels.subarray(start, start + contextLength), row * contextLength);
  });
  return { inputs, labels };
}

export class CorpusBatches {
  #streams: TokenStreams;
  #seed: number;
  #batchSize: number;
  #contextLength: number;
  /** Sequences in an epoch; one fewer than fit, so that every offset leaves room for them. */
  readonly sequences: number;
  #epoch?: { number: number; order: Uint32Array; offset: number };

  constructor(streams: TokenStreams, options: { seed: number; batchSize: number; contextLength: number }) {
    this.#streams = streams;
    this.#seed = options.seed;
    this.#batchSize = options.batchSize;
    this.#contextLength = options.contextLength;
    const { length } = streams.inputs;
    this.sequences = Math.floor(length / options.contextLength) - 1;
    if (this.sequences < 1)
      throw new LazyscopeError(
        'bad_input',
        `The text has ${length} tokens to train on, too few for a context of ${options.contextLength}.`,
      );
  }

  /** The batch of a step; steps count from 1. */
  at(step: number): SequenceBatch {
    const starts = Array.from({ length: this.#batchSize }, (_, row) =>
      this.#start((step - 1) * this.#batchSize + row),
    );
    return sequencesAt(this.#streams, starts, this.#contextLength);
  }

  #start(draw: number): number {
    const number = Math.floor(draw / this.sequences);
    if (this.#epoch?.number !== number) {
      const random = Random.fromSeed(this.#seed, `corpus epoch ${number}`);
      const offset = random.below(this.#contextLength);
      this.#epoch = { number, offset, order: random.permutation(this.sequences) };
    }
    const { order, offset } = this.#epoch;
    return offset + order[draw % this.sequences] * this.#contextLength;
  }
}
