import { z } from 'zod';

/** runs/<name>/seed-<n>/evaluation.json (METHODS.md §2). Cross-entropies are in nats a token. */
export const evaluationSchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  seed: z.int(),
  /** Held-out tokens that the figures are about, without those that are left out. */
  tokens: z.int().positive(),
  l0: z.number(),
  fvu: z.number(),
  explainedVariance: z.number(),
  mse: z.number(),
  /** γ: below 1 the reconstruction is shrunk. */
  reconstructionBias: z.number(),
  /** Mean cosine of x and its reconstruction. */
  cosine: z.number(),
  crossEntropy: z.strictObject({ clean: z.number(), sae: z.number(), zero: z.number(), mean: z.number() }),
  ceRecovered: z.number(),
  ceRecoveredMean: z.number(),
  klDivergence: z.number(),
  deadFraction: z.number(),
  /** Counts of latents by log10(density): edges from −7 to 0 in steps of 0.25; dead latents are not in it. */
  /** Median over tokens of ‖x − x̂‖² / ‖x − x̄‖²; absent in older evaluations. */
  medianFvu: z.number().nullable().optional(),
  /** Rows left out of all figures but the losses: by which rule, how many held-out ones, and the FVU with them. */
  exclusion: z
    .strictObject({ rule: z.string(), rows: z.int().nonnegative(), fvuWithThem: z.number().nullable() })
    .optional(),
  /** Predictions that the losses are means of; absent in older evaluations. */
  lossTokens: z.int().positive().optional(),
  densityHistogram: z.strictObject({ edges: z.array(z.number()), counts: z.array(z.int()) }),
});
export type Evaluation = z.infer<typeof evaluationSchema>;
