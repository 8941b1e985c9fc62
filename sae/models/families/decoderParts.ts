/**
 * What a family (llama.ts, gpt2.ts) says about a model; decoder.ts puts the parts together the same way for
 * all of them. Inside, activations are matrices of rows = batch × seq, so that every product is one large
 * matrix product; they take their public shapes only at hook points.
 */
import type { ActivationParameters } from '../activationFunctions/activationFunction.ts';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../../tensor/tf.ts';

/** Weights by the names Hugging Face's `save_pretrained` gives them. */
export type Weights = ReadonlyMap<string, Tensor>;
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

/** Where in the text the rows of one forward pass stand. */
export interface Window {
  batch: number;
  seq: number;
  /** Position of the first token: what is already in the key-value cache. */
  firstPosition: number;
}

export interface DecoderParts {
  /** tokens int32 [rows] → [rows, d] */
  embed(tokens: Tensor): Tensor2D;
  attentionNorm(layer: number, x: Tensor2D): Tensor2D;
  /** x [rows, d] → q [batch, heads, seq, head]; k, v [batch, keyValueHeads, seq, head], positions applied. */
  queryKeyValue(layer: number, x: Tensor2D): { q: Tensor4D; k: Tensor4D; v: Tensor4D };
  /** z [rows, heads × head] → [rows, d] */
  attentionOutput(layer: number, z: Tensor2D): Tensor2D;
  mlpNorm(layer: number, x: Tensor2D): Tensor2D;
  /** What the activation function is applied to: [rows, d] → [rows, neurons]. */
  mlpPre(layer: number, x: Tensor2D): Tensor2D;
  /** The activation function's own parameters. */
  activationParameters(layer: number): ActivationParameters;
  /** The factor of a gated MLP: [rows, d] → [rows, neurons]. */
  mlpUp?(layer: number, x: Tensor2D): Tensor2D;
  /** [rows, neurons] → [rows, d] */
  mlpOutput(layer: number, post: Tensor2D): Tensor2D;
  finalNorm(x: Tensor2D): Tensor2D;
  /** [rows, d] → [rows, vocab] */
  unembed(x: Tensor2D): Tensor2D;
}

/** How files may differ from the names in `shapes`. */
export interface WeightNaming {
  /** Files saved from the bare decoder lack it. */
  prefix: string;
  /** Buffers and copies that carry nothing to read. */
  ignored: RegExp;
}

/** A family, given a configuration. */
export interface Family {
  shapes: ParameterShapes;
  naming: WeightNaming;
  parts(weights: Weights, window: Window): DecoderParts;
  /** The way from the residual stream to the logits: final norm's gain [d], W_U as stored [vocab, d]. */
  output(weights: Weights): { gain: Tensor1D; unembedding: Tensor2D; centred: boolean };
  /** The prefix of a layer's MLP weights. */
  mlp(layer: number): string;
  /** W_down of a layer, neuron-major [neurons, d]; a new tensor. */
  neuronOutputs(weights: Weights, layer: number): Tensor2D;
}
