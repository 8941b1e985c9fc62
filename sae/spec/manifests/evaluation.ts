import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

/** Null where the figure is undefined for some of the contexts drawn. */
const intervalSchema = z.tuple([z.number(), z.number()]).nullable();

/** 95 % intervals of the losses, by a bootstrap over contexts (sae/evaluation/bootstrap.ts). */
const lossIntervalsSchema = z.strictObject({
  /** The share of resamples that lie inside. */
  level: z.number(),
  /** Contexts that the losses were measured on. */
  contexts: z.int().positive(),
  crossEntropy: z.strictObject({
    clean: intervalSchema,
    sae: intervalSchema,
    zero: intervalSchema,
    mean: intervalSchema,
  }),
  ceRecovered: intervalSchema,
  ceRecoveredMean: intervalSchema,
  klDivergence: intervalSchema,
});
export type LossIntervals = z.infer<typeof lossIntervalsSchema>;

/** runs/<name>/seed-<n>/evaluation.json (METHODS.md §2). Cross-entropies are in nats a token. */
const evaluationSchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  seed: z.int(),
  /** Held-out tokens that the figures are about, without those that are left out. */
  tokens: z.int().positive(),
  l0: z.number(),
  /** Null, as is explainedVariance, where the activations don't vary: a share of nothing. */
  fvu: z.number().nullable(),
  explainedVariance: z.number().nullable(),
  mse: z.number(),
  /** γ: below 1 the reconstruction is shrunk. Null where it is zero or at right angles to what it reconstructs. */
  reconstructionBias: z.number().nullable(),
  /** Mean cosine of x and its reconstruction. */
  cosine: z.number(),
  /** Null, as is klDivergence, for an encoder, which predicts no next token, and for activations whose model isn't known. */
  crossEntropy: z
    .strictObject({ clean: z.number(), sae: z.number(), zero: z.number(), mean: z.number() })
    .nullable(),
  /** Null where ablation costs the model nothing, so that nothing can be recovered. */
  ceRecovered: z.number().nullable(),
  ceRecoveredMean: z.number().nullable(),
  klDivergence: z.number().nullable(),
  deadFraction: z.number(),
  /** Median over tokens of ‖x − x̂‖² / ‖x − x̄‖²; absent in older evaluations. */
  medianFvu: z.number().nullable().optional(),
  /** Rows left out of all figures but the losses: by which rule, how many held-out ones, and the FVU with them. */
  exclusion: z
    .strictObject({ rule: z.string(), rows: z.int().nonnegative(), fvuWithThem: z.number().nullable() })
    .optional(),
  /** Predictions that the losses are means of; absent in older evaluations. */
  lossTokens: z.int().positive().optional(),
  /** Absent in older evaluations, and where there is only one context. */
  lossIntervals: lossIntervalsSchema.optional(),
  /** Of a crosscoder, by hook point, in the order of its columns. Absent for all others. */
  layers: z
    .array(
      z.strictObject({
        hook: z.string(),
        /** As the whole's, of this hook point's activations alone. */
        fvu: z.number().nullable(),
        /** Share of the latents' decoder norms that is here: the mean over latents of ‖W_dec,i^l‖ / Σ_m ‖W_dec,i^m‖. */
        decoderShare: z.number(),
        /** Latents by that share of theirs, counted in 20 equal bins on [0, 1]. */
        latentsByShare: z.array(z.int()),
        /** The whole's when this hook point alone is replaced; null where there is none. */
        ceRecovered: z.number().nullable(),
      }),
    )
    .optional(),
  /** Counts of latents by log10(density): edges from −7 to 0 in steps of 0.25; dead latents are not in it. */
  densityHistogram: z.strictObject({ edges: z.array(z.number()), counts: z.array(z.int()) }),
});
/** What evaluation.json holds. */
export type Evaluation = z.infer<typeof evaluationSchema>;

/** How evaluations are stored. */
export const evaluationKind: ManifestKind<Evaluation> = {
  name: 'an evaluation',
  remedy: 'evaluate the dictionary again',
  version: 1,
  schema: evaluationSchema,
  upgrades: {},
};
