/** What a comparison of dictionaries does when nothing else is asked for. */

/** Both cosines must reach it for a latent to count as shared: 0.7 in Paulo & Belrose (2501.16615). */
export const sharedThreshold = 0.7;

/** Relative gap at which the matching of wide dictionaries is good enough. */
export const optimalityGap = 0.001;

/** As many points as a browser still draws and pans smoothly. */
export const mostMapPoints = 131_072;

/** What stability is worth: held-out tokens to reconstruct and to run the model on, random groupings, and features taken out one by one. */
export const worthDefaults = { maxTokens: 16_384, lossTokens: 4096, draws: 19, sample: 96 } as const;

/** What the judging of matchings looks at where nothing is said: held-out tokens, and features of a pair of seeds and contexts of each for the predictions. */
export const matchingsDefaults = { maxTokens: 16_384, sample: 48, contexts: 4 };
