import { type Computed, type ComputedVector, readBack } from '../ops/computed.ts';
import type { Batch, Firings, FusedKernels } from '../ops/fusedKernels.ts';

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
}

/** What only the loss needs, and the loss made of it. */
export interface LossParts {
  readonly parts: readonly (Computed | ComputedVector<Float32Array>)[];
  readonly loss: (measured: Omit<Measured, 'loss'>, parts: readonly ArrayLike<number>[]) => number;
}

/** Reads back everything in one go. */
export async function measure(
  kernels: FusedKernels,
  { x, variance }: Batch,
  squaredError: Computed,
  { counts }: Firings,
  wanted: LossParts | null,
): Promise<Measured> {
  const [rows] = x.shape;
  const [error, total, firings, ...parts] = await readBack(kernels, [
    squaredError,
    variance,
    counts,
    ...(wanted?.parts ?? []),
  ]);
  const common = {
    mse: error[0] / rows,
    fvu: error[0] / total[0],
    firings: firings instanceof Int32Array ? firings : Int32Array.from(firings),
  };
  return { ...common, loss: wanted ? wanted.loss(common, parts) : common.mse };
}
