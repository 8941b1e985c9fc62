/** Queries, keys and values of a layer, from whichever matrices they are stored in, normed and turned as described. */
import { rotaryEmbedding } from '../../ops/rotaryEmbedding.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../../tensor/tf.ts';
import type { ModelConfig, Rotary } from '../modelConfig.ts';
import type { DecoderNames } from './family.ts';
import { inBlock, linearOf, normOf } from './storedModules.ts';
import type { Weights, Window } from './storedModules.ts';

/** cos and sin of every position of the window, [seq, dims/2]. */
interface RotaryTable {
  cos: Tensor2D;
  sin: Tensor2D;
}

interface Given {
  /** Of every kind of turning that the model's layers have. */
  tables: ReadonlyMap<Rotary, RotaryTable>;
  config: ModelConfig;
  names: DecoderNames;
  weights: Weights;
  window: Window;
}

type Three = [q: Tensor4D, k: Tensor4D, v: Tensor4D];

/** x [rows, d] → q [batch, heads, seq, head]; k, v [batch, keyValueHeads, seq, head]. */
export function queryKeyValue(given: Given, layer: number, x: Tensor2D) {
  const { config, names, tables } = given;
  const { rotary } = config.attention[layer];
  const [q, k, v] = products(given, layer, x);
  const table = rotary && tables.get(rotary);
  const positioned = (t: Tensor4D, heads: number, norm: string | undefined) => {
    const normed = norm === undefined ? t : headNorm(given, inBlock(names, layer, norm), t, heads);
    return rotary && table ? turn(normed, rotary, table) : normed;
  };
  return {
    q: positioned(q, config.heads, config.queryKeyNorm && names.queryNorm),
    k: positioned(k, config.keyValueHeads, config.queryKeyNorm && names.keyNorm),
    v,
  };
}

function products({ config, names, weights, window }: Given, layer: number, x: Tensor2D): Three {
  const { batch, seq } = window;
  const { heads, keyValueHeads, headWidth } = config;
  const linear = linearOf(names, weights);
  const split = (rows: Tensor, count: number): Tensor4D =>
    rows.reshape([batch, seq, count, headWidth]).transpose([0, 2, 1, 3]);
  const { queryKeyValue: stored } = names;
  if (!('fused' in stored))
    return [
      split(linear(inBlock(names, layer, stored.query), x), heads),
      split(linear(inBlock(names, layer, stored.key), x), keyValueHeads),
      split(linear(inBlock(names, layer, stored.value), x), keyValueHeads),
    ];
  const name = inBlock(names, layer, stored.fused);
  const widths = [heads * headWidth, keyValueHeads * headWidth, keyValueHeads * headWidth];
  if (names.stored === 'inOut') {
    // The small weights are cut in three, not the large products.
    const parts = tf.split(weights.get(`${name}.weight`) as Tensor2D, widths, 1);
    const biases = tf.split(weights.get(`${name}.bias`) as Tensor1D, widths);
    return parts.map((part, i) =>
      split(tf.fused.matMul({ a: x, b: part, bias: biases[i] }), i === 0 ? heads : keyValueHeads),
    ) as Three;
  }
  const product = linear(name, x);
  if (stored.order === 'concatenated')
    return tf
      .split(product, widths, 1)
      .map((part, i) => split(part, i === 0 ? heads : keyValueHeads)) as Three;
  const group = heads / keyValueHeads;
  return tf
    .split(
      product.reshape([batch * seq, keyValueHeads, (group + 2) * headWidth]),
      [group * headWidth, headWidth, headWidth],
      2,
    )
    .map((part, i) => split(part, i === 0 ? heads : keyValueHeads)) as Three;
}

/** t [batch, heads, seq, head], each head's vector or all of a position's heads brought to size. */
function headNorm({ config, weights, window }: Given, name: string, t: Tensor4D, heads: number): Tensor4D {
  const norm = config.queryKeyNorm!;
  const normed = normOf(config, weights);
  if (norm.over === 'allHeads') {
    const rows = t.transpose([0, 2, 1, 3]).reshape([window.batch * window.seq, heads * config.headWidth]);
    return normed(norm, name, rows)
      .reshape([window.batch, window.seq, heads, config.headWidth])
      .transpose([0, 2, 1, 3]);
  }
  if (norm.gains === 'shared') return normed(norm, name, t) as Tensor4D;
  const gains =
    norm.gains === 'byHead'
      ? weights.get(`${name}.weight`)!
      : tf.stack(Array.from({ length: heads }, (_, head) => weights.get(`${name}.norms.${head}.weight`)!));
  return normed({ ...norm, gain: false, bias: false }, name, t).mul(
    gains.reshape([1, heads, 1, config.headWidth]),
  );
}

function turn(t: Tensor4D, { dims, pairs }: Rotary, table: RotaryTable): Tensor4D {
  const [batch, heads, seq, head] = t.shape;
  const rotate = (part: Tensor4D): Tensor4D => {
    // Scores don't change when queries and keys are reordered alike, so the order need not be restored.
    const halves =
      pairs === 'halves'
        ? part
        : (part
            .reshape([batch, heads, seq, dims / 2, 2])
            .transpose([0, 1, 2, 4, 3])
            .reshape([batch, heads, seq, dims]) as Tensor4D);
    return rotaryEmbedding(halves, table.cos, table.sin);
  };
  if (dims === head) return rotate(t);
  const [turning, still] = tf.split<Tensor4D>(t, [dims, head - dims], 3);
  return tf.concat([rotate(turning), still], 3);
}

/** One table for each kind of turning. */
export function rotaryTables(config: ModelConfig, window: Window): Map<Rotary, RotaryTable> {
  const tables = new Map<Rotary, RotaryTable>();
  for (const { rotary } of config.attention)
    if (rotary && !tables.has(rotary)) tables.set(rotary, rotaryTable(rotary, window));
  return tables;
}

/** cos and sin of position · frequency, times the factor, computed in float64. */
function rotaryTable(rotary: Rotary, window: Window): RotaryTable {
  const { frequencies, factor } = rotary;
  const half = frequencies.length;
  const cos = new Float32Array(window.seq * half);
  const sin = new Float32Array(window.seq * half);
  for (let i = 0; i < half; i++)
    for (let t = 0; t < window.seq; t++) {
      const angle = (window.firstPosition + t) * frequencies[i];
      cos[t * half + i] = factor * Math.cos(angle);
      sin[t * half + i] = factor * Math.sin(angle);
    }
  const shape: [number, number] = [window.seq, half];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}
