/**
 * The mathematics of an architecture; what the rest of the product has to know of it is in sae/spec/architectures. Each
 * one's file holds it twice: a loss in plain TF.js ops for autodiff (the definition, METHODS.md §1), and `forward`, on the
 * fused kernels, which the trainer runs. Tests hold the two together.
 */
import type { Computed } from '../ops/computed.ts';
import type { Batch, DictionaryVariables, FusedKernels, GradientRequest } from '../ops/fusedKernels.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import type { ArchitectureName, architectures, ConfigOf } from '../spec/architectures/architectures.ts';
import type { DictionaryArrays } from './dictionary.ts';
import type { Measured } from './measure.ts';

/** Measured on the first tokens: means over rows of ‖x‖ and ‖x‖². */
export interface NormStatistics {
  readonly meanNorm: number;
  readonly meanSquaredNorm: number;
}

export interface StepSettings {
  /** λ of this step, its warm-up applied; 0 for architectures without a sparsity penalty. */
  readonly sparsityCoefficient: number;
  /** Latents that count as dead, ascending. */
  readonly dead: Int32Array;
  /** About how many entries the encoder will list, see `ThresholdSelection`. */
  readonly expected?: number | undefined;
  /** As the last step left it. */
  readonly state: TrainingState;
}

export interface ForwardPass {
  /** What the kernels' update needs. */
  readonly request: GradientRequest;
  /** Σ_b ‖x − x̂‖² */
  readonly squaredError: Computed;
  /**
   * The figures of this step. Call it before the update, which changes the parameters, and await its result after the
   * update: a device goes on computing meanwhile. `withLoss` computes the loss too, which the update doesn't need. `step` has the settings of
   * a step that has computed the same from another batch; those of this pass when it is left out.
   */
  measure(withLoss: boolean, step?: StepSettings): Promise<Measured>;
  /** The coefficient of the sparsity penalty that the request of a step with these settings has; left out where it has none that is a number. */
  penalty?(step: StepSettings): number;
  /** May be called before what was measured has arrived. */
  dispose(): void;
}

export interface Architecture<Name extends ArchitectureName> {
  /** Whether decoder rows are brought to unit norm after each step, and the gradient parallel to them is removed before. */
  readonly unitNormDecoder: boolean;
  /** s: activations are multiplied by it before training. */
  inputScale(d: number, norms: NormStatistics): number;
  /**
   * `sample` [rows, d] is scaled data, `median` [d] its geometric median or another centre; neither depends on the seed. `rows` gives the decoder
   * rows [latents, d], of the norm that it is asked for.
   */
  initialise(
    config: ConfigOf<Name>,
    sample: Float32Array,
    median: Float32Array,
    rows: (norm: number) => Float32Array,
  ): DictionaryArrays;
  forward(
    kernels: FusedKernels,
    parameters: DictionaryVariables,
    batch: Batch,
    config: ConfigOf<Name>,
    settings: StepSettings,
  ): ForwardPass;
  /** The encoder of the finished dictionary, where it isn't what is trained. */
  finished?(parameters: DictionaryArrays): Pick<DictionaryArrays, 'wEnc' | 'bEnc'>;
  /**
   * θ [latents] of the trained dictionary, in units of the scaled activations. Architectures whose latents fire above a
   * threshold must have it; for the others there is none.
   */
  readonly thresholds: (typeof architectures)[Name]['inference'] extends { fires: 'above threshold' }
    ? (parameters: DictionaryArrays, state: TrainingState) => Float32Array
    : null;
}
