/**
 * What an architecture must say about itself. Each one's file holds its mathematics twice: `loss`, in plain TF.js
 * for autodiff (the definition, METHODS.md §1), and `forward`, on the fused kernels, which the trainer runs. Tests
 * hold them together.
 */
import type { Computed } from '../ops/computed.ts';
import type { Batch, DictionaryVariables, FusedKernels, GradientRequest } from '../ops/fusedKernels.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import type { Random } from '../numerics/random.ts';
import type { DictionaryArrays } from './dictionary.ts';
import type { Measured } from './measure.ts';

/** Measured on the first tokens: means over rows of ‖x‖ and ‖x‖². */
export interface NormStatistics {
  readonly meanNorm: number;
  readonly meanSquaredNorm: number;
}

export interface StepSettings {
  /** λ now, its warm-up applied. */
  readonly sparsityCoefficient: number;
  /** Latents that count as dead, ascending. */
  readonly dead: Int32Array;
  /** About how many entries the encoder will list, see `ThresholdSelection`. */
  readonly expected?: number | undefined;
}

export interface ForwardPass {
  /** What the kernels' update needs. */
  readonly request: GradientRequest;
  /** Σ_b ‖x − x̂‖² */
  readonly squaredError: Computed;
  /**
   * What the step has to say. Ask before the update, which changes the parameters, and wait for the answer after it:
   * a device goes on computing meanwhile. `withLoss` asks for the loss too, which the update doesn't need.
   */
  measure(withLoss: boolean): Promise<Measured>;
  /** May be called before what was measured has arrived. */
  dispose(): void;
}

export interface Architecture<Config extends TrainingConfig> {
  readonly architecture: Config['architecture'];
  /** Whether the encoder sees x − b_dec. */
  readonly subtractsDecoderBias: boolean;
  readonly unitNormDecoder: boolean;
  /** s: activations are multiplied by it before training. */
  inputScale(d: number, norms: NormStatistics): number;
  /** `sample` [rows, d] is scaled data, `median` its geometric median; neither depends on the seed. */
  initialise(config: Config, sample: Float32Array, median: Float32Array, random: Random): DictionaryArrays;
  forward(
    kernels: FusedKernels,
    parameters: DictionaryVariables,
    batch: Batch,
    config: Config,
    settings: StepSettings,
  ): ForwardPass;
}
