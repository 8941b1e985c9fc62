/**
 * Whether a source of Neuronpedia's is of a dictionary here. Its files name no weights, so what follows from weights is compared: the tokens
 * that a latent promotes, and the decoder row where a source has it.
 */
import type { NeuronpediaFeature } from './readNeuronpediaSource.ts';

/** The dictionary, as far as it is compared. */
export interface ComparedDictionary {
  latents: number;
  d: number;
  wDec: Float32Array; // [latents, d]
  /** Tokens that a latent promotes; none where it isn't indexed. */
  promoted(latent: number): readonly number[];
  /** The text of each token, null where an id has none. */
  vocabulary: readonly (string | null)[];
}

export interface NeuronpediaAgreement {
  by: 'decoder rows' | 'promoted tokens';
  features: number;
  /** Mean cosine of the rows, or mean share of the tokens that both have. */
  share: number;
  /** The same of each latent with the next feature of the source, which is another. */
  chance: number;
}

/** Fewer say too little. */
const fewest = 3;
/** Features compared at most, spread over all of them. */
const mostCompared = 2000;
/** Less than this is another dictionary: the same one has most tokens in common, whatever was folded into the unembedding. */
export const leastAgreement = 0.2;

/** Null where there is nothing to compare. */
export function neuronpediaAgreement(
  features: ReadonlyMap<number, NeuronpediaFeature>,
  dictionary: ComparedDictionary,
): NeuronpediaAgreement | null {
  const { d, wDec, promoted, vocabulary } = dictionary;
  const known = [...features].filter(([latent]) => latent < dictionary.latents);
  const rows = known.filter(([, { vector }]) => vector.length === d && vector.some((value) => value !== 0));
  if (rows.length >= fewest)
    return agreement('decoder rows', rows, (latent, { vector }) =>
      cosine(wDec.subarray(latent * d, (latent + 1) * d), vector),
    );
  const texts = known.filter(
    ([latent, feature]) => feature.promoted.length > 0 && promoted(latent).length > 0,
  );
  if (texts.length < fewest) return null;
  return agreement('promoted tokens', texts, (latent, feature) => {
    const here = new Set(promoted(latent).map((id) => plain(vocabulary[id] ?? `#${id}`)));
    const there = new Set(feature.promoted.map(plain));
    const both = [...there].filter((text) => here.has(text)).length;
    return both / Math.min(here.size, there.size);
  });
}

type Pair = [latent: number, feature: NeuronpediaFeature];

function agreement(
  by: NeuronpediaAgreement['by'],
  pairs: readonly Pair[],
  likeness: (latent: number, feature: NeuronpediaFeature) => number,
): NeuronpediaAgreement {
  const step = Math.max(1, Math.floor(pairs.length / mostCompared));
  const compared = pairs.filter((_, i) => i % step === 0).slice(0, mostCompared);
  const mean = (shift: number) =>
    compared.reduce(
      (sum, [latent], i) => sum + likeness(latent, compared[(i + shift) % compared.length][1]),
      0,
    ) / compared.length;
  return { by, features: compared.length, share: mean(0), chance: mean(1) };
}

/** Tokenizers print a space before a word in several ways. */
const plain = (text: string) => text.replace(/^[▁Ġ]/, ' ');

function cosine(a: Float32Array, b: readonly number[]): number {
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    product += a[i] * b[i];
    squareA += a[i] ** 2;
    squareB += b[i] ** 2;
  }
  return squareA === 0 || squareB === 0 ? 0 : product / Math.sqrt(squareA * squareB);
}
