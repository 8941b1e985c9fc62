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
