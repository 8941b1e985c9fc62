/**
 * The custom ops in which training a sparse autoencoder spends its time, fused so that the
 * pre-activations z [batch, latents] and the gradients need not be written to memory.
 *
 * A backend offers them as one typed table (`satisfies FusedKernels`). A backend without tuned kernels gets the
 * reference kernels, which are composed of plain TF.js ops and define the truth. The pure kernels are also
 * registered with TF.js (fusedOps.ts), so that they compose with its autodiff; the in-place update is called
 * through the table.
 */
import type { Tensor1D, Tensor2D, Variable } from '../tensor/tf.ts';
import type { Computed, ComputedVector, ReadsBack } from './computed.ts';
import type { Candidates, EntryList } from './candidates.ts';
import type { Entries, SparseEntries } from './sparseEntries.ts';
import type { ProcessGroup } from './processGroup.ts';
import type { HostBatch, RowStores } from './rowStore.ts';
import type { StepRecorder } from './stepRecorder.ts';
import type { AdamSettings, AuxiliaryChoice, Batch } from './trainingStep.ts';

export type { AdamSettings, AuxiliaryChoice, Batch } from './trainingStep.ts';

/** The parameters of one dictionary, or tensors of the same shapes: gradients, Adam's moments. Row i belongs to latent i. */
export interface DictionaryOf<T2, T1> {
  readonly wEnc: T2; // [latents, d]
  readonly bEnc: T1; // [latents]
  readonly wDec: T2; // [latents, d], of a transcoder [latents, outputs]
  readonly bDec: T1; // [d], of a transcoder [outputs]
  /** log θ [latents]; JumpReLU only. */
  readonly logThreshold: T1 | null;
  /** r [latents], the logarithm of the magnitudes' gain; Gated only. */
  readonly rMag?: T1 | null;
  /** [latents]: the magnitudes' bias; Gated only, where `bEnc` is the gate's. */
  readonly bMag?: T1 | null;
  /** W_skip [outputs, d] of a skip transcoder. `update` leaves it alone: the trainer takes its part from the target, and updates it. */
  readonly wSkip?: T2 | null;
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
   * About how many entries to expect. A backend whose device computes asynchronously may then choose the form of the
   * entries by this number instead of waiting for their count, and the choice may turn out to be wrong (see `Listed`). When it is
   * left out, the form is always right, and `indices` has exactly as many places as there are entries.
   */
  readonly expected?: number | undefined;
}

export interface BatchSelection {
  /** How many entries to keep of all rows together. */
  readonly count: number;
  /** About how large the least of them will be, where that is known: the search begins there, and finds the same wherever it begins. */
  readonly near?: number | undefined;
}

export interface BatchChoice {
  readonly entries: SparseEntries;
  /** The least activation that was kept; 0 where none is positive. */
  readonly least: Computed;
}

/** A choice that several processes make together, each among the latents that it has. */
export interface SharedChoice {
  /** Of how many latents of each row to say what they are sure to reach. */
  readonly part: number;
  /**
   * Called once: `sure` [rows] is what at least `part` of the latents here reach, 0 where that isn't known. Returns what a latent must reach [rows] to be
   * of interest.
   */
  agree(sure: Float32Array): Float32Array;
}

export interface Firings {
  /** [latents]: on how many rows of the batch each latent fires. */
  readonly counts: ComputedVector<Int32Array>;
  /** [latents]: Σ_b f, the sum of each latent's activations over the batch. */
  readonly sums: ComputedVector<Float32Array>;
}

export interface Reconstruction {
  /** x̂ − target [batch, d] */
  readonly error: Tensor2D;
  /** error_b · W_dec,i for each entry (b, i), in the shape of the entries' values. */
  readonly dots: Tensor1D | Tensor2D;
  /** Σ error²; in double precision where it is computed on the host. */
  readonly squaredError: Computed;
}

/** What the update of a gated dictionary needs besides the main term, whose entries are the magnitudes. */
export interface GateTerm {
  /** The gate's pre-activations π at the places of the main term's entries; the gate is open where π > 0. */
  readonly entries: Entries;
  /** error_b · W_dec,i of the reconstruction from ReLU(π), in the shape of the entries' values. */
  readonly dots: Tensor1D | Tensor2D;
  /** As that of a `LossTerm`. The decoder doesn't learn from this reconstruction. */
  readonly scale: number;
  /** Coefficient of Σ ReLU(π) over the batch. */
  readonly l1: number;
  /** exp(r) [latents] */
  readonly gain: Tensor1D;
}

/** Reconstructions x̂_p from the latents below each of some prefixes of a dictionary. */
export interface NestedReconstruction {
  /** [prefixes · rows, d]: block p is Σ (x̂_q − target) over q ≥ p, so that the last is the error of the whole dictionary. */
  readonly errors: Tensor2D;
  /** [entries]: W_dec,i · the row of the block of the first prefix that has latent i. */
  readonly dots: Tensor1D;
  /** Σ (x̂_p − target)² over all prefixes. */
  readonly nestedError: Computed;
  /** The same of the whole dictionary alone. */
  readonly squaredError: Computed;
}

/** One reconstruction's share of the loss, `scale/2 · Σ error²`; its gradient with respect to x̂ is `scale · error`. */
export interface LossTerm extends Omit<Reconstruction, 'squaredError'> {
  readonly entries: Entries;
  readonly scale: Computed;
  /** Of nested reconstructions, whose `errors` take the place of `error`: ascending, the last is the number of latents. */
  readonly prefixes?: Int32Array;
}

/** The auxiliary reconstruction: that of what the main one leaves over, from the strongest of some latents. */
export interface AuxiliaryTerm {
  /** Its share of the loss as a list of entries, or the gradients that it has. */
  readonly term: LossTerm | RowGradients;
  /** Σ error² of the auxiliary reconstruction. */
  readonly squaredError: Computed;
  /** Σ_b ‖e − ē‖² */
  readonly variance: Computed;
  dispose(): void;
}

/** Gradients of the parameters of some latents, each of which has a place; all are yet to be multiplied by `scale`. */
export interface RowGradients {
  /** int32 [latents]: the place of each latent, −1 of those that have none. */
  readonly places: Tensor1D;
  readonly wEnc: Tensor2D; // [places, d]
  readonly wDec: Tensor2D; // [places, outputs]
  readonly bEnc: Tensor1D; // [places]
  readonly scale: Computed;
}

export interface GradientRequest {
  readonly parameters: DictionaryVariables;
  readonly x: Tensor2D; // [batch, d], not centred
  /** Whether the encoder saw x − b_dec. */
  readonly subtractsDecoderBias: boolean;
  readonly main: LossTerm;
  /** The AuxK term, decoded without b_dec. Its gradient reaches the encoder as that of the main term does. */
  readonly auxiliary: LossTerm | null;
  /** The gradients of the AuxK term, instead of the term, from backends that have `auxiliary`; others are never given them. */
  readonly auxiliaryRows?: RowGradients | null;
  /** Coefficient of Σ f_i ‖W_dec,i‖ over the batch (λ / batch for ReLU; otherwise 0). With `blocks`, ‖·‖ is the sum of the blocks' norms. */
  readonly l1: number;
  /** JumpReLU: θ [latents], ε, and the derivative of the loss by Σ H(z − θ). */
  readonly jump: {
    readonly threshold: Tensor1D;
    readonly bandwidth: number;
    readonly l0Gradient: Computed;
  } | null;
  readonly gate?: GateTerm;
  /**
   * Ends of the blocks of a decoder row, ascending; one block when absent. Its size, which `l1` weighs and `unitNormDecoder` keeps at 1, is
   * Σ_l ‖W_dec,i^l‖.
   */
  readonly blocks?: Int32Array | undefined;
}

/** What a device can do at best, by its own clock. */
export interface DeviceRates {
  /** Milliseconds of the product of a batch with a dictionary, by the type of number that is multiplied; sums are f32. */
  readonly productMs: { readonly bf16: number; readonly tf32: number; readonly f32: number };
  /** GB/s read plus written by a copy that no cache holds. */
  readonly copyGBs: number;
}

/** Milliseconds of the host. */
export interface HostTimes {
  /** Waiting for results. */
  readonly waiting: number;
  /** Copying tensors to memory that the device reads. */
  readonly upload: number;
  /** Recording kernels of ours, which includes what they submit and upload. */
  readonly record: number;
  /** Handing over what is recorded. */
  readonly submit: number;
}

/** Time that a kernel took, measured by the device's clock. */
export interface KernelTime {
  readonly kernel: string;
  /** The part of a training step it belongs to; gradients of matrices are computed inside the optimiser's kernels. */
  readonly phase: 'encode' | 'decode' | 'gradients' | 'optimiser' | 'other';
  readonly calls: number;
  readonly milliseconds: number;
}

export interface FusedKernels extends ReadsBack {
  /** The TF.js backend the kernels belong to; `reference` for the ones that run on any. */
  readonly backend: string;

  /**
   * A batch of activations: `values` [batch × d] times `scale` as a tensor, which may take over the memory of `values`, and
   * Σ_b ‖x − x̄‖², where x̄ is the mean of the batch.
   */
  scaledBatch(values: Float32Array, d: number, scale: number): Batch;
  /**
   * Memory for the values of a batch that `scaledBatch` sends to the device as it is, without copying and without changing it. It may be
   * filled anew once the results of a step on it have been read. Backends that compute in host memory leave it out.
   */
  batchMemory?(length: number): Float32Array;
  /** Takes memory of `batchMemory` back, which is of no more use to the caller. Backends whose memory is freed by itself leave it out. */
  giveBatchMemory?(values: Float32Array): void;
  /** Σ_b ‖x − x̄‖², where x̄ is the mean of x [batch, d]. */
  varianceAboutMean(x: Tensor2D): Computed;

  /**
   * The k largest ReLU(z) of each row, ties by lower latent. A value that is not finite counts as the largest and becomes NaN. Each row
   * has exactly k entries: where fewer are positive, the lowest of the other latents fill it up with 0. `among` (ascending) restricts the
   * choice to those latents.
   */
  topKEncode(x: Tensor2D, encoder: Encoder, k: number, among?: Int32Array): SparseEntries;
  /**
   * The `count` largest ReLU(z) of the whole batch; of equal ones those of lower rows, and in a row of lower latents. Where fewer are positive, those
   * are all. A value that is not finite counts as the largest and becomes NaN.
   */
  batchTopKEncode(x: Tensor2D, encoder: Encoder, selection: BatchSelection): BatchChoice;
  /**
   * Every latent with z > θ − ε/2, as a list or dense, whichever is faster for this batch. Entries that do not fire
   * (z ≤ θ) are listed for the threshold's gradient, which depends only on their being in the window, so their value may be θ.
   */
  thresholdEncode(x: Tensor2D, encoder: Encoder, selection: ThresholdSelection): Entries;

  // The three products of a sparse matrix S [batch, latents]. The gradient of each is computed by the other two.
  /** S·W [batch, d], for W [latents, d]. */
  sparseDecode(entries: SparseEntries, w: Tensor2D): Tensor2D;
  /** [entries]: the elements of g·Wᵀ at the places of the entries, for g [batch, d] and W [latents, d]. */
  sparseDots(pattern: SparseEntries, g: Tensor2D, w: Tensor2D): Tensor1D;
  /** Sᵀ·g [latents, d], for g [batch, d]. */
  sparseOuter(entries: SparseEntries, g: Tensor2D): Tensor2D;

  firings(entries: Entries, threshold: Tensor1D | null): Firings;
  /** Decodes the activations f of the entries, adds `bias`, and subtracts `target` [batch, d], while the rows of W_dec it reads are in cache. */
  reconstruct(
    entries: Entries,
    threshold: Tensor1D | null,
    decoder: { readonly wDec: Tensor2D; readonly bias: Tensor1D | null },
    target: Tensor2D,
  ): Reconstruction;
  /** `prefixes` ascending; the last is the number of latents. */
  reconstructNested(
    entries: SparseEntries,
    prefixes: Int32Array,
    decoder: { readonly wDec: Tensor2D; readonly bias: Tensor1D },
    target: Tensor2D,
  ): NestedReconstruction;
  /**
   * The whole of AuxK's term on the device, whatever the number of dead latents, so that a recorded step serves the next one too. `error`
   * [batch, outputs] is x̂ − target of the main reconstruction. Backends that leave it out are asked for its parts.
   */
  auxiliary?(
    x: Tensor2D,
    dictionary: { readonly encoder: Encoder; readonly wDec: Tensor2D },
    error: Tensor2D,
    choice: AuxiliaryChoice,
  ): AuxiliaryTerm;
  /** The gradient that `update` would use, before clipping. It is for tests and for optimisers other than Adam. */
  gradients(request: GradientRequest): DictionaryTensors;
  /**
   * Computes the gradients and takes an Adam step in one pass over the dictionary, in place for parameters and both moments. Changes nothing
   * if the main term's entries turn out to be in the wrong form (see `Listed`).
   */
  update(
    request: GradientRequest,
    moments: { readonly first: DictionaryVariables; readonly second: DictionaryVariables },
    adam: AdamSettings,
  ): void;

  /**
   * Adam's step of W_skip from its gradient [outputs, d], which is clipped by its own norm. It changes nothing where `update` of the same request
   * changes nothing. Backends whose results are at hand when a kernel returns leave it out.
   */
  updateSkip?(
    request: GradientRequest,
    gradient: Tensor2D,
    moments: { readonly first: DictionaryVariables; readonly second: DictionaryVariables },
    adam: AdamSettings,
  ): void;

  /**
   * One vector of all latents from a vector of those that are here, where the latents of a dictionary are spread over processes. Backends
   * leave it out: they hold whole dictionaries.
   */
  ofAllLatents?(vector: Tensor1D): Tensor1D;
  /**
   * `topKEncode`, with zeros in place of those that don't reach what `shared.agree` returns, of some at least. Backends that would find nothing
   * sooner leave it out.
   */
  topKEncodeOfMany?(
    x: Tensor2D,
    encoder: Encoder,
    k: number,
    options: { among?: Int32Array | undefined; shared: SharedChoice },
  ): SparseEntries;
  /** What `ownOfLargest` of training/sharding finds, sooner. Backends without a kernel for it leave it out. */
  ownOfLargest?(own: EntryList, candidates: Candidates): EntryList | undefined;

  /**
   * Kernels for the share that this process holds of `width` latents (`latentShares`), on devices that send each other what they need. Every process sees the
   * whole batch, and b_dec is the same in all. What a kernel says of latents (`firings`) or of rows (`reconstruct`) is of the whole dictionary; lists and
   * matrices are of the share. Made by all processes of the group at once. Backends that compute in host memory leave it out. Throws `unavailable` where the
   * devices find no way to each other, `bad_input` where two processes have the same one.
   */
  spread?(processes: ProcessGroup, width: number): FusedKernels;

  /** Of a backend that was started on several devices: the kernels of each, these first. What is on one device is of no use on another. */
  readonly devices?: readonly FusedKernels[];
  /** Makes the device of these kernels that of TF.js's operations while `run` runs. Backends of one device leave it out. */
  on?<T>(run: () => T): T;

  /** Memory of the device for rows of activations. Backends that compute in host memory leave it out. */
  readonly rowStores?: RowStores;
  /** Batches of rows as the host has stored them. Backends that leave it out get batches that the host has widened and scaled (`scaledBatch`). */
  readonly hostBatch?: HostBatch;

  /** A recorder for the steps of one trainer, whose kernels are these. Backends that have nothing to gain leave it out. */
  stepRecorder?<Pass extends { dispose(): void }, Result>(): StepRecorder<Pass, Result>;

  /**
   * The times of the kernels that `run` starts, by the device's clock, the longest first; null where the device has no clock. Backends
   * whose functions return when their work is done leave it out.
   */
  timed?(run: () => Promise<void>): Promise<readonly KernelTime[] | null>;
  /** What this process has spent on the device so far. Backends that have none leave it out. */
  hostTimes?(): HostTimes;

  /**
   * What the device can do at best at the product of a batch [rows, depth] with a dictionary [columns, depth]. Backends whose
   * plain operations run at that rate leave it out.
   */
  rates?(shape: { rows: number; depth: number; columns: number }): DeviceRates;
}
