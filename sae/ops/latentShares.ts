/** The latents that each of several processes holds: as many in a row for each, give or take one. */
export interface LatentShare {
  /** The first latent. */
  readonly begin: number;
  /** One past the last. */
  readonly end: number;
}

export function latentShare(width: number, rank: number, size: number): LatentShare {
  return { begin: Math.floor((rank * width) / size), end: Math.floor(((rank + 1) * width) / size) };
}

export function latentShares(width: number, size: number): LatentShare[] {
  return Array.from({ length: size }, (_, rank) => latentShare(width, rank, size));
}

/** Those of some latents, ascending, that a share holds, as places in it. */
export function placesIn(share: LatentShare, among: Int32Array): Int32Array {
  const { begin, end } = share;
  return among.subarray(firstFrom(among, begin), firstFrom(among, end)).map((latent) => latent - begin);
}

/** How many of some latents, ascending, a share holds. */
export function countIn({ begin, end }: LatentShare, among: Int32Array): number {
  return firstFrom(among, end) - firstFrom(among, begin);
}

/** The place of the first that is at least `least`. */
function firstFrom(ascending: Int32Array, least: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
