import type { GradientRequest } from '../../ops/fusedKernels.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { tableParts } from './kernels/byLatent.ts';
import { rowSizes } from './kernels/rowSize.ts';
import { rowSquares } from './kernels/sums.ts';
import type { Programs } from './programs.ts';

/** θ [latents], sizes of the rows of W_dec [latents] and the scalars in one tensor, in the order of `tableParts` (kernels/byLatent.ts); with a gate exp(r) and b_mag. */
export function latentTable(
  { backend, programs }: { backend: DeviceBackend; programs: Programs },
  { parameters, main, auxiliary, l1, jump, gate, blocks }: GradientRequest,
): Tensor {
  const { latents } = main.entries;
  const [, d] = main.error.shape;
  const table = backend.scratch([2 * latents + 4], 'float32');
  if (jump) backend.copyInto(jump.threshold, table, 0, latents);
  if (l1 !== 0) {
    const program = blocks
      ? rowSizes({ rows: latents, blocks, offset: latents })
      : rowSquares({ rows: latents, d, centred: false, root: true, offset: latents });
    programs.run(program, [parameters.wDec, table], latents);
  }
  if (gate) {
    if (auxiliary || jump || l1 !== 0 || !parameters.bMag)
      throw new TypeError(
        'A gate has b_mag, and neither an auxiliary term nor thresholds nor a penalty of activations beside it.',
      );
    backend.copyInto(gate.gain, table, tableParts.gain * latents, latents);
    backend.copyInto(parameters.bMag, table, tableParts.bMag * latents, latents);
  }
  [main.scale, auxiliary?.scale ?? 0, jump?.l0Gradient ?? 0, gate?.scale ?? 0].forEach((value, i) => {
    const scalar = typeof value === 'number' ? tf.scalar(value) : value;
    backend.copyInto(scalar, table, 2 * latents + i, 1);
  });
  return table;
}
