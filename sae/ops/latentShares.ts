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

/** Those of some latents that a share holds, as places in it. */
export function placesIn({ begin, end }: LatentShare, among: Int32Array): Int32Array {
  return among.filter((latent) => latent >= begin && latent < end).map((latent) => latent - begin);
}
