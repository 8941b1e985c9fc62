/** The modules of a stored model by their names: matrices with their biases, norms with their gains. */
import { layerNorm } from '../../ops/layerNorm.ts';
import { rmsNorm } from '../../ops/rmsNorm.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../../tensor/tf.ts';
import type { ModelConfig, Norm } from '../modelConfig.ts';
import type { DecoderNames } from './family.ts';

/** Weights by the names Hugging Face's `save_pretrained` gives them. */
export type Weights = ReadonlyMap<string, Tensor>;
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

/** How files may differ from the names in the shapes. */
export interface WeightNaming {
  /** Files saved from the bare decoder lack it. */
  prefix: string;
  /** Buffers that carry nothing to read. */
  ignored: RegExp;
  /** What modules were called in older files, as ends of names. */
  renamed?: Readonly<Record<string, string>> | undefined;
  /** The unembedding, which a bare decoder lacks. */
  unembedding: string;
  /** A tensor that some files repeat: the unembedding where it is the embedding. */
  copy?: { name: string; of: string };
}

/** Where in the text the rows of one forward pass stand. */
export interface Window {
  batch: number;
  seq: number;
  /** Position of the first token: what is already in the key-value cache. */
  firstPosition: number;
}

/** How a matrix's module is called in a layer. */
export const inBlock = (names: DecoderNames, layer: number, name: string): string =>
  `${names.block.replace('{layer}', String(layer))}.${name}`;

/** The stored gain of a norm with what has to be added to it, or undefined where it has none. */
export function normGain(weights: Weights, norm: Norm, name: string): Tensor | undefined {
  const stored = norm.gain ? weights.get(`${name}.weight`)! : undefined;
  return stored && norm.gainOffset ? tf.add(stored, norm.gainOffset) : stored;
}

/** Norms of [..., n] by the name of their module. */
export function normOf(config: ModelConfig, weights: Weights) {
  return (norm: Norm, name: string, x: Tensor): Tensor => {
    const n = x.shape.at(-1)!;
    const gain = (normGain(weights, norm, name) ?? tf.ones([n])) as Tensor1D;
    if (norm.kind === 'rms') return rmsNorm(x, gain, config.normEpsilon);
    const bias = (norm.bias ? weights.get(`${name}.bias`)! : tf.zeros([n])) as Tensor1D;
    return layerNorm(x, gain, bias, config.normEpsilon);
  };
}

/** Products with a stored matrix and its bias, if it has one. */
export function linearOf(names: DecoderNames, weights: Weights) {
  const transposeB = names.stored === 'outIn';
  return (name: string, x: Tensor2D): Tensor2D =>
    tf.fused.matMul({
      a: x,
      b: weights.get(`${name}.weight`) as Tensor2D,
      bias: weights.get(`${name}.bias`),
      transposeB,
    }) as Tensor2D;
}
