/**
 * Which tokens a training step sees. A function of seed and step alone, so that a resumed training reads what
 * the interrupted one would have read. Every epoch cuts the text at a new offset into sequences and goes
 * through them in a fresh permutation.
 */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../tensor/random.ts';

const blockTokens = 8192;

/** Cuts held-out blocks out of a text, spread evenly over it: each is the last of its stretch. */
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

export class CorpusBatches {
  #tokens: Uint16Array;
  #seed: number;
  #batchSize: number;
  #contextLength: number;
  /** Sequences an epoch; one fewer than fits, so that any offset does. */
  readonly sequences: number;
  #epoch?: { number: number; order: Uint32Array; offset: number };

  constructor(tokens: Uint16Array, options: { seed: number; batchSize: number; contextLength: number }) {
    this.#tokens = tokens;
    this.#seed = options.seed;
    this.#batchSize = options.batchSize;
    this.#contextLength = options.contextLength;
    this.sequences = Math.floor((tokens.length - 1) / options.contextLength) - 1;
    if (this.sequences < 1)
      throw new LazyscopeError(
        'bad_input',
        `The text has ${tokens.length} tokens to train on, too few for a context of ${options.contextLength}.`,
      );
  }

  /** Inputs and the tokens that follow them, each [batch × seq]. Steps count from 1. */
  at(step: number): { inputs: Int32Array; labels: Int32Array } {
    const n = this.#contextLength;
    const inputs = new Int32Array(this.#batchSize * n);
    const labels = new Int32Array(this.#batchSize * n);
    for (let row = 0; row < this.#batchSize; row++) {
      const start = this.#start((step - 1) * this.#batchSize + row);
      inputs.set(this.#tokens.subarray(start, start + n), row * n);
      labels.set(this.#tokens.subarray(start + 1, start + 1 + n), row * n);
    }
    return { inputs, labels };
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
