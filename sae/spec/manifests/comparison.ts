import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

const dictionaryReferenceSchema = z.strictObject({ run: z.string(), seed: z.int() });
/** One seed of one run. */
export type DictionaryReference = z.infer<typeof dictionaryReferenceSchema>;

const sideMeasuresSchema = z.strictObject({
  /** Share of latents whose counterpart in the optimal matching, and in the greedy one, reaches the threshold. */
  matched: z.number(),
  greedy: z.number(),
  mmcs: z.number(),
  pwMcc: z.number(),
  gap: z.number(),
});

const swapScoresSchema = z.strictObject({
  /** Latents of a that are replaced, or silenced. */
  latents: z.int().nonnegative(),
  /** Null where the activations don't vary. */
  fvu: z.number().nullable(),
  /** Nats a token with the hook point replaced by the reconstruction. */
  crossEntropy: z.number(),
});
/** What a reconstructs when latents of b stand in for its own (METHODS.md §3). */
const functionalSwapSchema = z.strictObject({
  /** Held-out tokens reconstructed, and those the model was run on. */
  tokens: z.int().positive(),
  lossTokens: z.int().positive(),
  /** Cross-entropy of the model left alone. */
  clean: z.number(),
  /** a as it is. */
  own: swapScoresSchema,
  /** b's latents stand in for the shared ones; for every matched one. */
  shared: swapScoresSchema,
  matched: swapScoresSchema,
  /** The shared ones silenced, with nothing in their place: what the stand-ins are worth. */
  silenced: swapScoresSchema,
});
export type FunctionalSwap = z.infer<typeof functionalSwapSchema>;

const nullMeasuresSchema = z.strictObject({
  /** Expected MMCS and PW-MCC of random dictionaries of the same shape, and the standard error of PW-MCC. */
  mmcs: z.number(),
  pwMcc: z.number(),
  pwMccError: z.number(),
  /** Pairs of random dictionaries that were matched. */
  draws: z.int().nonnegative(),
  /** True where those were narrower and pwMcc follows from a fit; `shared` is then what it is at most. */
  extrapolated: z.boolean(),
  /** Share of latents whose counterpart in the optimal matching reaches the threshold: of decoder rows, of encoder rows, and of both at once where encoders are tied to decoders, as they are when training starts. */
  shared: z.number(),
});

/** The figures of a comparison by chance (METHODS.md §7). */
const chanceSchema = z.strictObject({
  /** Of random directions without a preference. */
  isotropic: nullMeasuresSchema,
  /** Of random directions with the covariance of the activations, and how many rows of the capture that is of; absent where the capture can't tell. */
  covariance: nullMeasuresSchema.extend({ rows: z.int().positive() }).optional(),
  /** MMCS of a with b turned at random within blocks of principal components of like variance. */
  rotation: z.strictObject({ mmcs: z.number() }).optional(),
  /** Matched pairs that are nearer than chance, by Benjamini & Hochberg at a false discovery rate of q: those with a p-value of at most p. */
  beyond: z.strictObject({
    null: z.enum(['covariance', 'isotropic']),
    q: z.number(),
    p: z.number(),
    /** Their share of the latents of a. */
    share: z.number(),
  }),
});
export type ComparisonChance = z.infer<typeof chanceSchema>;

/** comparisons/<name>/comparison.json (METHODS.md §3). Fractions are of the latents of `a`. */
const comparisonManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  a: dictionaryReferenceSchema,
  b: dictionaryReferenceSchema,
  /** Architectures of a and b, for grouping. */
  architectures: z.tuple([z.string(), z.string()]),
  latents: z.int().positive(),
  threshold: z.number(),
  /** Rows on which activations were not compared: by which rule, and how many of the capture. Nothing where absent. */
  exclusion: z.strictObject({ rule: z.string(), rows: z.int().nonnegative() }).optional(),
  /** Same counterpart in both matchings and both cosines ≥ threshold. */
  shared: z.number(),
  sharedDecoder: z.number(),
  sharedEncoder: z.number(),
  /** Mean over latents of a of the best decoder cosine in b. */
  mmcs: z.number(),
  /** Mean decoder cosine over the optimal matching (2505.20254). */
  pwMcc: z.number(),
  /** The same of encoder rows, what the greedy matchings share, and what each matching's gap is. */
  measures: z
    .strictObject({
      decoder: sideMeasuresSchema,
      encoder: sideMeasuresSchema,
      /** Share of latents to which both matchings give the same counterpart, whatever the cosines. */
      agreement: z.number(),
      /** Latents of b. */
      otherLatents: z.int().positive(),
    })
    .optional(),
  swap: functionalSwapSchema.optional(),
  chance: chanceSchema.optional(),
  solver: z.string(),
  /** Optimality gap of the assignment, relative; 0 for an exact solver. */
  gap: z.number(),
  seconds: z.number(),
  peakRssMb: z.number(),
});
/** What comparison.json holds. */
export type ComparisonManifest = z.infer<typeof comparisonManifestSchema>;

/** How comparisons are stored. */
export const comparisonKind: ManifestKind<ComparisonManifest> = {
  name: 'a comparison',
  remedy: 'delete its folder and compare again',
  version: 1,
  schema: comparisonManifestSchema,
  upgrades: {},
};
