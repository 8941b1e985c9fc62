/** Which latents are dead, as kernels find it in memory of the device (source/fusedAuxiliary.cu). */
import type { AuxiliaryChoice } from '../../../ops/fusedKernels.ts';

const fewestPlaces = 32;

/** For how many dead latents there is room where so many are dead, of all `latents`. */
export function placesFor(dead: number, latents = Infinity): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(dead, fewestPlaces)));
  return Math.min(power, Math.ceil(latents / 8) * 8);
}

/** What the kernels find in `choice`: how many latents are dead, the numerator's bits, and which they are. */
export function wordsOf({ dead, numerator }: AuxiliaryChoice): Int32Array {
  const words = new Int32Array(2 + dead.length);
  words[0] = dead.length;
  new Float32Array(words.buffer, 4, 1)[0] = numerator;
  words.set(dead, 2);
  return words;
}
