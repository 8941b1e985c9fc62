import { z } from 'zod';
import { layerMetricShape } from '../layerMetrics/layerMetricShape.ts';
import type { ManifestKind } from './manifestKind.ts';

/** What masking neurons costs, in true perplexity on `tokens` tokens (METHODS.md §4). */
const interventionsSchema = z.strictObject({
  tokens: z.int().positive(),
  /** Of the whole model on the same tokens. */
  perplexity: z.number(),
  /** Per token of a forward pass. */
  multiplyAdds: z.strictObject({
    mlpLayer: z.number(),
    mlp: z.number(),
    attention: z.number(),
    unembedding: z.number(),
    total: z.number(),
  }),
  /** One CETT for all layers, bisected until perplexity rises by p %, and the share of neurons active there. */
  pplP: z.array(
    z.strictObject({ p: z.number(), cett: z.number(), ratio: z.number(), perplexity: z.number() }),
  ),
  /** `none` is the model as it is; sparsity is the share of entries that W_down reads as exactly 0. */
  tradeoff: z.array(
    z.strictObject({
      method: z.string(),
      setting: z.string().optional(),
      value: z.number().optional(),
      rank: z.int().positive().optional(),
      sparsity: z.number(),
      /** Null where it is beyond every number (exp of a mean loss above 709 nats). */
      perplexity: z.number().nullable(),
      sparsityByLayer: z.array(z.number()),
      /** Multiply-adds saved, as shares: of each layer's MLP, of all MLPs, of the whole forward pass. */
      savedByLayer: z.array(z.number()),
      savedOfMlp: z.number(),
      savedOfAll: z.number(),
      /** By matrix (W_in, or W_gate and W_up; W_down), the share of its multiply-adds spared, before R-Sparse's rank is paid for; absent in reports made before it was kept. */
      sparedOf: z.record(z.string(), z.number()).optional(),
    }),
  ),
  /** Top-k against token noise, with calibration. */
  robustness: z.array(
    z.strictObject({
      k: z.int().positive(),
      noise: z.number(),
      /** Null where it is beyond every number. */
      perplexity: z.number().nullable(),
      accuracy: z.number(),
      ece: z.number(),
      reliability: z
        .array(
          z.strictObject({
            from: z.number(),
            count: z.number(),
            confidence: z.number(),
            accuracy: z.number(),
          }),
        )
        .optional(),
    }),
  ),
});

/** sparsity/<name>/report.json (METHODS.md §4). */
const sparsityReportSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  model: z.strictObject({
    name: z.string(),
    /** As in a capture. */
    folder: z.string(),
    /** Absent in reports of earlier versions. */
    sha256: z.string().optional(),
    activation: z.string(),
    gated: z.boolean(),
    /** Where another activation function was put in its place. */
    trainedActivation: z.string().optional(),
  }),
  text: z.string(),
  tokens: z.int().positive(),
  /** Null for an encoder, which predicts no next token. */
  crossEntropy: z.number().nullable(),
  /** The ε of `ratioAt`: share of neurons with |a| > ε. */
  thresholds: z.array(z.number()),
  layers: z.array(
    z.strictObject({
      layer: z.int().nonnegative(),
      neurons: z.int().positive(),
      ...layerMetricShape,
      ratioAt: z.array(z.number()),
      /** CETT at other shares of masked neurons; the field's names are those of the first reports. */
      cettAtResting: z.array(z.strictObject({ resting: z.number(), cett: z.number() })).optional(),
      /** Counts of neurons by firing frequency, 50 equal bins on [0, 1]. */
      frequencyHistogram: z.array(z.int()),
      /** Counts of tokens by the share of neurons that fire on them, in the same bins. */
      tokenHistogram: z.array(z.int()).optional(),
      /**
       * Of a mixture: to how many experts a token goes, and for each expert the tokens sent to it with its activation ratio and dead
       * rate over those; null where there were none. Neurons are numbered expert after expert.
       */
      experts: z
        .strictObject({
          perToken: z.int().positive(),
          each: z.array(
            z.strictObject({
              tokens: z.int().nonnegative(),
              activationRatio: z.number().nullable(),
              deadRate: z.number().nullable(),
            }),
          ),
        })
        .optional(),
      /** H(p)/log n of each head. */
      attentionEntropy: z.array(z.number()).optional(),
    }),
  ),
  /** The residual stream from the embedding to the last layer: signal propagation, and CKA with tokens read and tokens to come. */
  depth: z
    .array(
      z.strictObject({
        hook: z.string(),
        meanSquared: z.number(),
        variance: z.number(),
        /** Medians over a sample of the tokens; absent in reports made before they were kept. */
        medianMeanSquared: z.number().optional(),
        medianVariance: z.number().optional(),
        /** Null where the labels of the sample do not vary. */
        inputAlignment: z.number().nullable(),
        targetAlignment: z.number().nullable(),
      }),
    )
    .optional(),
  interventions: interventionsSchema.optional(),
});
/** What report.json holds. */
export type SparsityReport = z.infer<typeof sparsityReportSchema>;

/** How sparsity reports are stored. */
export const sparsityReportKind: ManifestKind<SparsityReport> = {
  name: 'a sparsity report',
  remedy: 'delete its folder and measure again',
  version: 1,
  schema: sparsityReportSchema,
  upgrades: {},
};
