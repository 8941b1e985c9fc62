/** The matchings that `lazyscope matchings` compares, with their names for people. */
export const matchingMethods = {
  greedy: {
    name: 'greedy cosine',
    doc: 'the nearest pair of decoder rows first, then the nearest of those left',
  },
  mutual: { name: 'mutual nearest', doc: 'decoder rows each of which is the other’s nearest' },
  assignment: { name: 'assignment', doc: 'the matching of greatest summed decoder cosine' },
  agreement: {
    name: 'decoder and encoder',
    doc: 'pairs on which the assignments by decoder and by encoder agree, as surely as the smaller cosine',
  },
  transport: { name: 'optimal transport', doc: 'entropic transport at cost 1 − decoder cosine' },
  correlation: { name: 'correlation', doc: 'the greatest correlation of activations over all tokens' },
  jaccard: { name: 'Jaccard', doc: 'the greatest overlap of the tokens fired on' },
  stateTransport: {
    name: 'transport of states',
    doc: 'entropic transport at the sliced Wasserstein distance of the hidden states that express a feature, weighted by activation',
  },
} as const;

export type MatchingMethod = keyof typeof matchingMethods;
/** All of them, in the order in which they are listed. */
export const matchingMethodNames = Object.keys(matchingMethods) as readonly MatchingMethod[];
