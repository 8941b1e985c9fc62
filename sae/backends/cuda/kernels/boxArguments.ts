/** Axes of the boxes that kernels walk. */
const axes = 6;
const most = 2 ** 31 - 1;

/**
 * The arguments by which a kernel is told of a box: the sizes of all axes but the outermost, the innermost first, and six strides for each
 * of its two sides. Null when the box has more axes than six. Throws for more elements than an index of 32 bits reaches.
 *
 * @param sizes outermost first, like both lists of strides
 */
export function boxArguments(
  sizes: readonly number[],
  first: readonly number[],
  second: readonly number[],
): number[] | null {
  const rank = sizes.length;
  if (rank > axes) return null;
  const elements = sizes.reduce((product, n) => product * n, 1);
  if (elements > most)
    throw new Error(`A tensor of ${elements} elements is too large for a kernel of backend cuda.`);
  const inwards = (list: readonly number[], filler: number) =>
    Array.from({ length: axes }, (_, i) => (i < rank ? list[rank - 1 - i] : filler));
  return [...inwards(sizes, 1).slice(0, axes - 1), ...inwards(first, 0), ...inwards(second, 0)];
}
