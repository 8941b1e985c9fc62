/**
 * What every language model is to the rest of the product: tokens in, logits and activations out, each
 * hook point readable and replaceable. DecoderModel implements it on TF.js ops, so a model runs on whatever backend is
 * active.
 *
 * Axes: batch, seq, d (residual width), heads, head (width of one head), neurons (MLP width), vocab.
 */
import type { Tensor, Tensor2D, Tensor3D } from '../tensor/tf.ts';
import type { HookPoint } from './hookPoints.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { UnembeddedFrom } from './linearPaths.ts';
import type { ModelConfig } from './modelConfig.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';

/** What a forward pass computes besides logits, and what it replaces on the way. */
export interface ForwardOptions {
  /** Hook points to return: what went on downstream, so a point that is replaced too gives its replacement. */
  read?: readonly HookPoint[];
  /** Called with the activation at a hook point; what it returns takes the activation's place downstream. */
  replace?: Partial<Record<HookPoint, (activation: Tensor) => Tensor>>;
  /** Stop after the deepest hook point in `read` and return no logits. */
  readOnly?: boolean;
  /**
   * Start at a block, with this as the residual stream that it reads [batch, seq, d]; the number of layers stands for
   * what follows the last block. Tokens count for their shape only, and hook points before it are not passed.
   */
  from?: { layer: number; residual: Tensor };
  /** End before this block and return the residual stream that it would read, and no logits. */
  until?: number;
  /** Of an encoder: which of two sentences each token is of, int32 [batch, seq]; all of the first when absent. */
  tokenTypes?: Tensor2D;
  /** Also say how evenly each head spread its attention. */
  attentionEntropy?: boolean;
}

/** What a forward pass gives. The tensors belong to the caller, who disposes them. */
export interface ForwardResult {
  /** [batch, seq, vocab]; absent when `readOnly`, with `until`, and of an encoder without a head. */
  logits?: Tensor3D;
  /** [batch, seq, d], what `from` takes; only with `until`. */
  residual?: Tensor3D;
  /** Residual hooks [batch, seq, d]; mlp.hook_pre/post [batch, seq, neurons]; attn.hook_z [batch, seq, heads, head]; attn.hook_pattern [batch, heads, seq, keys]; mlp.hook_expert_weights [batch, seq, experts], mlp.hook_expert_indices int32 [batch, seq, experts per token]; mlp.experts.E.* [batch, seq, neurons / experts]. */
  activations: Map<HookPoint, Tensor>;
  /** By layer that was run, [batch, heads]: Σ over queries of H(p)/log(n), as sae/ops/attentionEntropySums.ts has it. Empty unless asked for. */
  entropySums: Tensor2D[];
}

/** A language model in memory, on the backend that was current when it was loaded. */
export interface LanguageModel {
  readonly name: string;
  /** The folder or file it was loaded from. */
  readonly folder: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** All hook points of this model, in forward order. */
  readonly hookPoints: readonly HookPoint[];
  /** Width of the last axis at a hook point (for attn.hook_z: heads × head, flattened). Throws at attn.hook_pattern, which has none. */
  width(hook: HookPoint): number;
  /**
   * The result's tensors are the caller's to dispose; everything in between is disposed. tokens: int32 [batch, seq].
   * With a cache, the tokens go on where it ends, and are added to it.
   */
  forward(tokens: Tensor2D, options?: ForwardOptions, cache?: KeyValueCache): ForwardResult;
  /**
   * W_U [d, vocab] with the final norm's gain (and LayerNorm's centring) folded in; a direction v in the residual
   * stream moves the logits by v·W_U (up to the norm's scale). `from` 'normalized': a direction at
   * ln_final.hook_normalized, behind the centring. Read by the feature index.
   */
  foldedUnembedding(from?: UnembeddedFrom): Tensor2D;
  /** act(pre) of a layer, with that layer's parameters; a new tensor of the same shape, neurons last. */
  activate(layer: number, pre: Tensor): Tensor;
  /** W_down of a layer, neuron-major [neurons, d]: row i is what neuron i writes. */
  neuronOutputs(layer: number): Tensor2D;
  /** Number of parameters, tied ones counted once. */
  parameterCount(): number;
  /** The name of a weight that has an entry that is not finite, if there is one. Reads all weights. */
  nonFiniteWeight?(): string | undefined;
  /** Frees the weights. */
  dispose(): void;
}
