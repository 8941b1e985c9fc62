/** One forward pass of a text, with every attached dictionary reading its hook point. */
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { blockOf } from '../models/stretch.ts';
import { pause } from '../pause.ts';
import { tf, type Tensor, type Tensor2D, type Tensor3D } from '../tensor/tf.ts';
import { leftOutRows, type AttachedDictionary } from './attachedDictionary.ts';
import { likeliest, logSumExp, type NextToken } from './nextTokens.ts';

export interface EncodedDictionary {
  /** Which latents fire on each token; none on a token that is left out. */
  code: SparseCode;
  /** 1 for each token whose row training left out; null for none. */
  leftOut: Uint8Array | null;
  /** ‖x − x̂‖² / ‖x‖² of each token [tokens]; 0 where x is 0. */
  error: Float64Array;
}

export interface EncodedTokens {
  /** In the order of the dictionaries. */
  dictionaries: EncodedDictionary[];
  /** The likeliest next tokens after each token. */
  predictions: NextToken[][];
  /** −log p of each token given those before it, in nats; null for the first. */
  surprisal: (number | null)[];
}

export interface EncodeOptions {
  model: LanguageModel;
  tokens: readonly number[];
  dictionaries: readonly Pick<AttachedDictionary, 'hook' | 'autoencoder' | 'leaves'>[];
  /** How many next tokens are kept after each token. */
  predictions: number;
  signal?: AbortSignal | undefined;
}

/** Some blocks are run at a time, so that a pause comes after about this many multiplications. */
const piece = 2 ** 34;
/** Logits of some tokens at a time: at most this many numbers. */
const largestLogits = 1 << 22;

/** Throws `cancelled` when the signal is aborted. */
export async function encodeTokens(options: EncodeOptions): Promise<EncodedTokens> {
  const { model, tokens, dictionaries, signal } = options;
  const { layers } = model.config;
  const hooks = [...new Set(dictionaries.map(({ hook }) => hook))];
  const activations = new Map<HookPoint, Tensor>();
  const input = tf.tensor2d([...tokens], [1, tokens.length], 'int32');
  let residual: Tensor3D | undefined;
  try {
    const blocks = Math.max(1, Math.floor((piece * layers) / (model.parameterCount() * tokens.length)));
    for (let layer = 0; layer < layers; layer += blocks) {
      const until = Math.min(layers, layer + blocks);
      const inStretch = (hook: HookPoint) => {
        const block = blockOf(hook, model.config);
        return block < until && (block >= layer || layer === 0);
      };
      const before: Tensor3D | undefined = residual;
      const result = model.forward(input, {
        read: hooks.filter(inStretch),
        ...(before && { from: { layer, residual: before } }),
        until,
      });
      for (const [hook, activation] of result.activations) activations.set(hook, activation);
      residual = result.residual;
      before?.dispose();
      await pause(signal, 'reading the text');
    }
    const next = await readLogits(options, residual!, hooks, activations);
    const encoded: EncodedDictionary[] = [];
    for (const dictionary of dictionaries) {
      encoded.push(encodeOne(dictionary, activations.get(dictionary.hook)!, tokens));
      await pause(signal, 'encoding the text');
    }
    return { dictionaries: encoded, ...next };
  } finally {
    tf.dispose([input, residual ?? [], ...activations.values()]);
  }
}

/** What follows the last block: predictions, surprisal, and the activations after the final norm if they are wanted. */
async function readLogits(
  { model, tokens, predictions, signal }: EncodeOptions,
  residual: Tensor3D,
  hooks: readonly HookPoint[],
  activations: Map<HookPoint, Tensor>,
): Promise<Pick<EncodedTokens, 'predictions' | 'surprisal'>> {
  const { layers, vocabularySize, d } = model.config;
  const last = hooks.filter((hook) => blockOf(hook, model.config) >= layers);
  const found: Pick<EncodedTokens, 'predictions' | 'surprisal'> = { predictions: [], surprisal: [null] };
  const rows = Math.max(1, Math.floor(largestLogits / vocabularySize));
  const pieces = new Map<HookPoint, Tensor[]>(last.map((hook) => [hook, []]));
  try {
    for (let from = 0; from < tokens.length; from += rows) {
      const count = Math.min(rows, tokens.length - from);
      const input = tf.zeros([1, count], 'int32') as Tensor2D;
      const stretch = residual.slice([0, from, 0], [1, count, d]);
      const result = model.forward(input, { from: { layer: layers, residual: stretch }, read: last });
      const values = await result.logits!.data<'float32'>();
      tf.dispose([input, stretch, result.logits!]);
      for (const [hook, activation] of result.activations) pieces.get(hook)?.push(activation);
      const width = values.length / count;
      for (let row = 0; row < count; row++) {
        const logits = values.subarray(row * width, (row + 1) * width);
        found.predictions.push(likeliest(logits, model.tokenizer.vocabularySize, predictions));
        const following = tokens[from + row + 1];
        if (following !== undefined) found.surprisal.push(logSumExp(logits) - logits[following]);
      }
      await pause(signal, 'reading the text');
    }
    for (const [hook, parts] of pieces) activations.set(hook, tf.concat(parts, 1));
  } finally {
    tf.dispose([...pieces.values()].flat());
  }
  return found;
}

/** One pass over x, whatever shape it has after its first two axes. */
function encodeOne(
  { autoencoder, leaves }: EncodeOptions['dictionaries'][number],
  activation: Tensor,
  tokens: readonly number[],
): EncodedDictionary {
  const x = activation.reshape<Tensor2D>([tokens.length, -1]);
  try {
    const values = x.dataSync<'float32'>();
    const leftOut = leftOutRows(leaves, values, tokens, 0);
    const code = autoencoder.encode(x);
    const decoded = tf.tidy(() => autoencoder.decode(code).dataSync<'float32'>());
    return {
      code: withoutRows(code, leftOut),
      leftOut,
      error: relativeErrors(values, decoded, tokens.length),
    };
  } finally {
    x.dispose();
  }
}

function relativeErrors(x: Float32Array, decoded: Float32Array, rows: number): Float64Array {
  const width = x.length / rows;
  return Float64Array.from({ length: rows }, (_, row) => {
    let error = 0;
    let square = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      error += (x[at] - decoded[at]) ** 2;
      square += x[at] ** 2;
    }
    return square === 0 ? 0 : error / square;
  });
}

/** A copy of the code in which nothing fires on a row that is left out. A backend may reuse the memory of the code itself. */
function withoutRows(
  { rows, rowStart, indices, values }: SparseCode,
  leftOut: Uint8Array | null,
): SparseCode {
  const start = new Int32Array(rows + 1);
  const kept: number[] = [];
  for (let row = 0; row < rows; row++) {
    if (leftOut?.[row] !== 1) for (let e = rowStart[row]; e < rowStart[row + 1]; e++) kept.push(e);
    start[row + 1] = kept.length;
  }
  return {
    rows,
    rowStart: start,
    indices: Int32Array.from(kept, (e) => indices[e]),
    values: Float32Array.from(kept, (e) => values[e]),
  };
}
