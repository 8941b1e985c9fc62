import { type Computed, type ComputedVector, readBack } from '../ops/computed.ts';
import type { Batch, Firings, FusedKernels } from '../ops/fusedKernels.ts';
import type { Entries } from '../ops/sparseEntries.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';

/** What one step of training has to say, on the host. */
export interface Measured {
  /** Mean over the batch of ‖x − x̂‖². */
  readonly mse: number;
  /** Σ_b ‖x − x̂‖² / Σ_b ‖x − x̄‖² */
  readonly fvu: number;
  /** Rows of the batch on which each latent fires [latents]. */
  readonly firings: Int32Array;
  /** The loss itself; the mean squared error when the loss wasn't asked for. */
  readonly loss: number;
  /** Entries that the encoder listed, or would have if it hadn't kept the matrix; absent where the backend doesn't say. */
  readonly listed: number | undefined;
  /** λ of this step, where the architecture itself steers it. */
  readonly sparsityCoefficient?: number;
  /** What the architecture's training state is after the step; absent where it has none. */
  readonly state?: TrainingState;
  /**
   * Whether they came in the right form (`Listed`). If not, the other numbers mean nothing, the update has changed
   * nothing, and the step has to be made again, this time with nothing expected.
   */
  readonly valid: boolean;
}

/** What the forward pass has made for it. */
export interface Made {
  readonly entries: Entries;
  readonly firings: Firings;
  readonly squaredError: Computed;
}

/** What only the loss and the training state need, and what is made of it. */
export interface LossParts {
  readonly parts: readonly (Computed | ComputedVector<Float32Array>)[];
  readonly loss: (
    measured: Pick<Measured, 'mse' | 'fvu' | 'firings'>,
    parts: readonly ArrayLike<number>[],
  ) => number;
  /** The architecture's training state after the step; left out where it has none, or makes it otherwise. */
  readonly state?: (parts: readonly ArrayLike<number>[]) => TrainingState;
}

/** Reads back everything in one go. */
export async function measure(
  kernels: FusedKernels,
  { x, variance }: Batch,
  { entries, firings, squaredError }: Made,
  wanted: LossParts | null,
): Promise<Measured> {
  const [rows] = x.shape;
  const { listed } = entries;
  const [error, total, counts, found, ...parts] = await readBack(kernels, [
    squaredError,
    variance,
    firings.counts,
    listed?.count ?? 0,
    ...(wanted?.parts ?? []),
  ]);
  const common = {
    mse: error[0] / rows,
    fvu: error[0] / total[0],
    firings: counts instanceof Int32Array ? counts : Int32Array.from(counts),
  };
  const count = found[0];
  return {
    ...common,
    loss: wanted ? wanted.loss(common, parts) : common.mse,
    ...(wanted?.state && { state: wanted.state(parts) }),
    listed: listed && count,
    valid: !listed || (count >= listed.least && count <= listed.most),
  };
}
