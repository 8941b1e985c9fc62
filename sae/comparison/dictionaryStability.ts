import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { latentStability, type SharedLink } from './stability.ts';

export interface DictionaryStability {
  /** Other seeds of the same configuration this dictionary was compared with. */
  compared: number;
  /** [latents]: in how many of them the latent is shared. */
  sharedWith: Int32Array;
}

/** In how many other seeds each latent is shared; `links` are those of this dictionary's seed comparisons. */
export function dictionaryStability(
  dictionary: DictionaryReference,
  latents: number,
  links: readonly SharedLink[],
): DictionaryStability {
  const key = dictionaryKey(dictionary);
  const keys = new Set([key, ...links.flatMap(({ a, b }) => [a, b])]);
  const all = latentStability(
    [...keys].map((k) => ({ key: k, latents })),
    links,
  );
  const own = all.find((seed) => seed.key === key);
  const compared = own?.compared ?? 0;
  const sharedWith = new Int32Array(latents);
  if (own && compared > 0)
    for (let i = 0; i < latents; i++) sharedWith[i] = Math.round(own.stability[i] * compared);
  return { compared, sharedWith };
}
