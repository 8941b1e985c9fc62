/**
 * GroupMax (EleutherAI's sparsify, sparsify/fused_encoder.py): latents in order are k groups of one size, and of each group
 * the latent with the largest ReLU(z) fires. By plain operations, since dictionaries of this kind are only used here.
 */
import type { Encoder } from '../ops/fusedKernels.ts';
import { sparseEntries, type SparseEntries } from '../ops/sparseEntries.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

/** How many pre-activations are computed at once: 64 MB of them. */
const block = 2 ** 24;

/** Which latents of x [rows, d] fire, where `groups` divides their number. A pre-activation that is NaN makes its group's latent NaN. */
export function groupMaxEncode(x: Tensor2D, encoder: Encoder, groups: number): SparseEntries {
  const [rows, d] = x.shape;
  const [latents] = encoder.bEnc.shape;
  const size = latents / groups;
  const step = Math.max(1, Math.floor(block / latents));
  const rowStart = new Int32Array(rows + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first);
    const [largest, places] = tf.tidy(() => {
      const part = x.slice<Tensor2D>([first, 0], [count, d]);
      const read = encoder.centre ? part.sub<Tensor2D>(encoder.centre) : part;
      const z = tf.matMul(read, encoder.wEnc, false, true).add(encoder.bEnc).reshape([count, groups, size]);
      return [z.max(2).dataSync(), z.argMax(2).dataSync()];
    });
    for (let row = 0; row < count; row++) {
      for (let group = 0; group < groups; group++) {
        const at = row * groups + group;
        if (largest[at] <= 0) continue;
        indices.push(group * size + places[at]);
        values.push(largest[at]);
      }
      rowStart[first + row + 1] = indices.length;
    }
  }
  return sparseEntries(latents, rowStart, Int32Array.from(indices), Float32Array.from(values));
}
