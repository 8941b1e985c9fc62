/**
 * The box that C++ walks for an operation on two tensors of shapes a and b: dimensions of size 1 dropped,
 * neighbours that broadcast alike merged, so that most operations come down to one or two dimensions.
 */
export interface Broadcast {
  /** The result's shape. */
  shape: number[];
  rank: number;
  /** Sizes, strides in a, strides in b: `rank` numbers each. */
  packed: Int32Array;
}

export function alignBroadcast(a: readonly number[], b: readonly number[]): Broadcast {
  const full = Math.max(a.length, b.length);
  const shape: number[] = [];
  const sizes: number[] = [];
  /** Which operands move along the dimension: 1 = a, 2 = b, 3 = both. */
  const moving: number[] = [];
  for (let i = 0; i < full; i++) {
    const x = a[i - full + a.length] ?? 1;
    const y = b[i - full + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new Error(`Operands could not be broadcast together with shapes ${a.join()} and ${b.join()}.`);
    const size = x === 1 ? y : x;
    shape.push(size);
    if (size === 1) continue;
    const who = (x === 1 ? 0 : 1) | (y === 1 ? 0 : 2);
    if (moving.at(-1) === who) sizes[sizes.length - 1] *= size;
    else {
      sizes.push(size);
      moving.push(who);
    }
  }
  if (sizes.length === 0) {
    sizes.push(1);
    moving.push(3);
  }
  const rank = sizes.length;
  const packed = new Int32Array(3 * rank);
  let strideA = 1;
  let strideB = 1;
  for (let i = rank - 1; i >= 0; i--) {
    packed[i] = sizes[i];
    if (moving[i] & 1) {
      packed[rank + i] = strideA;
      strideA *= sizes[i];
    }
    if (moving[i] & 2) {
      packed[2 * rank + i] = strideB;
      strideB *= sizes[i];
    }
  }
  return { shape, rank, packed };
}
