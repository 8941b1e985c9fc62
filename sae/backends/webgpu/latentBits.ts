/** Where the entries of each latent are, as bits and as places in a list; see kernels/byLatent.ts. */
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import type { Tensor } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { countBits, markBits } from './kernels/byLatent.ts';
import { prefixSums } from './kernels/select.ts';
import type { Programs } from './programs.ts';

interface Device {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
}

/** [latents, words · terms]: a bit for each (latent, row), set where the latent has an entry in the row. */
export function bitsOf(
  { backend, programs }: Device,
  latents: number,
  wordsEach: number,
  terms: readonly SparseEntries[],
): Tensor {
  const words = wordsEach * terms.length;
  const bits = backend.scratch([latents, words], 'int32');
  backend.clear(bits);
  terms.forEach(({ rows, rowStart, indices }, i) => {
    if (indices.shape[0] > 0)
      programs.run(markBits({ rows, words, firstWord: i * wordsEach }), [rowStart, indices, bits], rows);
  });
  return bits;
}

/** [latents + 1]: where each latent's entries begin in the list. */
export function startsOf(
  { backend, programs }: Device,
  bits: Tensor,
  latents: number,
  words: number,
): Tensor {
  const counts = backend.scratch([latents], 'int32');
  programs.run(countBits({ latents, words }), [bits, counts], latents);
  const start = backend.scratch([latents + 1], 'int32');
  programs.run(prefixSums(latents), [counts, start], 1);
  return start;
}
