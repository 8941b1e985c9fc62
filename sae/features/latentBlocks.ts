/** Blocks of consecutive latents, for figures that each latent has by itself. */
import type { Block, BlockArrays } from '../store/blocks.ts';

/** Latents of a block, about; a product of matrices has fewer at once, and its bounds fall on those of the blocks. */
const latentsOfBlock = 1024;

/** `make` is given the first latent of a block and the one after its last; it works on `atOnce` of them at a time. */
export function latentBlocks<Arrays extends BlockArrays>(
  latents: number,
  atOnce: number,
  name: string,
  make: (first: number, end: number) => Promise<Arrays>,
): Block<Arrays>[] {
  const size = atOnce * Math.ceil(latentsOfBlock / atOnce);
  return Array.from({ length: Math.ceil(latents / size) }, (_, at) => {
    const first = at * size;
    return { name: `${name}-${first}`, make: () => make(first, Math.min(first + size, latents)) };
  });
}

/** The arrays one after another in `into`, which they fill. */
export function joined<Values extends Int32Array | Float32Array>(
  arrays: readonly Values[],
  into: Values,
): Values {
  let at = 0;
  for (const array of arrays) {
    into.set(array, at);
    at += array.length;
  }
  return into;
}
