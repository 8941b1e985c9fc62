/**
 * The product's own ops: the few places where training a sparse autoencoder spends its time, fused so that the
 * pre-activations z [batch, latents] and the gradients need never reach memory.
 *
 * A backend offers them as one typed table (`satisfies FusedKernels`). A backend without tuned kernels gets the
 * reference kernels, which are composed of plain TF.js ops and define the truth. The pure kernels are also
 * registered with TF.js (fusedOps.ts), so that they compose with its autodiff; the in-place update is called
 * through the table.
 */
import type { Tensor1D, Tensor2D, Variable } from '../tensor/tf.ts';
import type { Computed, ComputedVector, ReadsBack } from './computed.ts';
import type { Entries, SparseEntries } from './sparseEntries.ts';

/** Parameters of one dictionary, or something shaped like them: gradients, Adam's moments. Row i is latent i. */
export interface DictionaryOf<T2, T1> {
  readonly wEnc: T2; // [latents, d]
  readonly bEnc: T1; // [latents]
  readonly wDec: T2; // [latents, d]
  readonly bDec: T1; // [d]
  /** log θ [latents]; JumpReLU only. */
  readonly logThreshold: T1 | null;
}
export type DictionaryVariables = DictionaryOf<Variable, Variable>;
export type DictionaryTensors = DictionaryOf<Tensor2D, Tensor1D>;

export interface Encoder {
  readonly wEnc: Tensor2D; // [latents, d]
  readonly bEnc: Tensor1D; // [latents]
  /** Subtracted from x before the product, [d]; null where the architecture has no pre-encoder bias. */
  readonly centre: Tensor1D | null;
}

export interface ThresholdSelection {
  /** θ [latents]; null means 0 everywhere. */
  readonly threshold: Tensor1D | null;
  /** ε: entries down to θ − ε/2 are listed too. */
  readonly bandwidth: number;
  /**
   * About how many entries to expect. A backend whose device counts on its own time may then choose the form of the
   * entries by this number instead of waiting, and may turn out to be wrong: see `Listed`. Left out, the entries are
   * what they should be, and `indices` is as long as there are entries.
   */
  readonly expected?: number | undefined;
}

export interface Batch {
  readonly x: Tensor2D; // [batch, d]
  /** Σ_b ‖x − x̄‖² */
  readonly variance: Computed;
}

export interface Firings {
  /** On how many rows of the batch each latent fires [latents]. */
  readonly counts: ComputedVector<Int32Array>;
  /** Σ_b f [latents] */
  readonly sums: ComputedVector<Float32Array>;
}

export interface Reconstruction {
  /** x̂ − target [batch, d] */
  readonly error: Tensor2D;
  /** error_b · W_dec,i of each entry: shaped as the entries' values. */
  readonly dots: Tensor1D | Tensor2D;
  /** Σ error²; in double precision where it is at hand. */
  readonly squaredError: Computed;
}

/** One reconstruction's share of the loss, `scale/2 · Σ error²`; its gradient with respect to x̂ is `scale · error`. */
export interface LossTerm extends Omit<Reconstruction, 'squaredError'> {
  readonly entries: Entries;
  readonly scale: Computed;
}

export interface GradientRequest {
  readonly parameters: DictionaryVariables;
  readonly x: Tensor2D; // [batch, d], not centred
  /** Whether the encoder saw x − b_dec. */
  readonly subtractsDecoderBias: boolean;
  readonly main: LossTerm;
  /** AuxK: decoded without b_dec; its gradient reaches the encoder like the main term's. */
  readonly auxiliary: LossTerm | null;
  /** Coefficient of Σ f_i ‖W_dec,i‖ over the batch (λ / batch for ReLU; otherwise 0). */
  readonly l1: number;
  /** JumpReLU: θ [latents], ε, and the derivative of the loss by Σ H(z − θ). */
  readonly jump: {
    readonly threshold: Tensor1D;
    readonly bandwidth: number;
    readonly l0Gradient: Computed;
  } | null;
}

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** 1 for the first update. */
  readonly step: number;
  /** The norm of the whole gradient is brought down to this before the update, exactly; null leaves it alone. */
  readonly clipNorm: number | null;
  /** Remove the gradient parallel to each decoder row, and bring rows back to unit norm. */
  readonly unitNormDecoder: boolean;
}

/** What a kernel took on the device's own clock. */
export interface KernelTime {
  readonly kernel: string;
  /** The part of a training step it belongs to; gradients of matrices are summed up inside the optimiser's. */
  readonly phase: 'encode' | 'decode' | 'gradients' | 'optimiser' | 'other';
  readonly calls: number;
  readonly milliseconds: number;
}

export interface FusedKernels extends ReadsBack {
  /** The TF.js backend the kernels belong to; `reference` for the ones that run on any. */
  readonly backend: string;

  /**
   * Rows of activations [batch × d] times `scale`, as a tensor that takes over `values`, and Σ_b ‖x − x̄‖² of them,
   * x̄ their mean.
   */
  scaledBatch(values: Float32Array, d: number, scale: number): Batch;
  /** Σ_b ‖x − x̄‖² */
  varianceAboutMean(x: Tensor2D): Computed;

  /**
   * The k largest of ReLU(z) a row, ties by lower latent; what is not finite counts as largest and is NaN; exactly k entries a row (those that are not
   * positive are 0, lowest latents first). `among` (ascending) restricts the choice to those latents.
   */
  topKEncode(x: Tensor2D, encoder: Encoder, k: number, among?: Int32Array): SparseEntries;
  /**
   * Every latent with z > θ − ε/2, as a list or dense, whichever is faster for this batch. An entry that does not fire
   * (z ≤ θ) is there for the threshold's gradient, which asks only that it is in the window: its value may be θ.
   */
  thresholdEncode(x: Tensor2D, encoder: Encoder, selection: ThresholdSelection): Entries;

  // The three products of a sparse [batch, latents] matrix S. Each one's gradient is made of the others.
  /** S·W [batch, d] */
  sparseDecode(entries: SparseEntries, w: Tensor2D): Tensor2D;
  /** (g·Wᵀ) at the entries: [entries] */
  sparseDots(pattern: SparseEntries, g: Tensor2D, w: Tensor2D): Tensor1D;
  /** Sᵀ·g [latents, d] */
  sparseOuter(entries: SparseEntries, g: Tensor2D): Tensor2D;

  firings(entries: Entries, threshold: Tensor1D | null): Firings;
  /** Decodes f (see sparseEntries.ts), adds `bias`, and compares with `target`, while the touched rows of W_dec are in cache. */
  reconstruct(
    entries: Entries,
    threshold: Tensor1D | null,
    decoder: { readonly wDec: Tensor2D; readonly bias: Tensor1D | null },
    target: Tensor2D,
  ): Reconstruction;
  /** The gradient the update would use, before clipping. For tests, and for optimisers other than Adam. */
  gradients(request: GradientRequest): DictionaryTensors;
  /**
   * Gradients and Adam in one pass over the dictionary, in place: parameters and both moments. Changes nothing where the
   * main term's entries turn out to be in the wrong form (`Listed`).
   */
  update(
    request: GradientRequest,
    moments: { readonly first: DictionaryVariables; readonly second: DictionaryVariables },
    adam: AdamSettings,
  ): void;

  /**
   * The kernels that `run` asks for, by the device's clock, the longest first; null where it has none. Left out by
   * backends that have finished when a function returns.
   */
  timed?(run: () => Promise<void>): Promise<readonly KernelTime[] | null>;
}
