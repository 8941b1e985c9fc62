/**
 * The JSON documents of the store. A manifest names what is complete; its schema is parsed once, where the
 * file is read, and the inferred type is what the rest of the product passes around.
 */
import { z } from 'zod';

/** One file of a capture, with what a reader checks before it believes the bytes. */
export const shardSchema = z.strictObject({
  /** Relative to the capture's folder. */
  file: z.string(),
  rows: z.int().positive(),
  bytes: z.int().positive(),
  sha256: z.string().length(64),
});
export type Shard = z.infer<typeof shardSchema>;

/** captures/<name>/capture.json */
export const captureManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  /** `complete` once every shard is written; a reader refuses anything else. */
  status: z.enum(['partial', 'complete']),
  model: z.strictObject({ name: z.string(), folder: z.string(), sha256: z.string() }),
  /** What the text was: a dataset's name or a file's name, and the checksum of its characters. */
  text: z.strictObject({ source: z.string(), sha256: z.string() }),
  /** Tokens per context (a row of tokens.arrow). */
  contextLength: z.int().positive(),
  contexts: z.int().nonnegative(),
  /** The last this many contexts are never trained on: evaluation, feature index and comparison read them. */
  heldOutContexts: z.int().nonnegative(),
  /** Positions before this one carry no activation rows (the first token attends to nothing and its activations are outliers). */
  firstPosition: z.int().nonnegative(),
  dtype: z.enum(['float16', 'float32']),
  tokens: shardSchema.nullable(),
  hooks: z.array(
    z.strictObject({ hook: z.string(), width: z.int().positive(), shards: z.array(shardSchema) }),
  ),
});
export type CaptureManifest = z.infer<typeof captureManifestSchema>;

/** What is common to all architectures. Units of `tokens` and `…Steps` are tokens and optimiser steps. */
const trainingFields = {
  capture: z.string(),
  hook: z.string(),
  /** Latents in the dictionary. */
  width: z.int().positive(),
  seeds: z.array(z.int().nonnegative()).min(1),
  batchSize: z.int().positive(),
  /** Tokens to train on; the capture is read in a fresh permutation an epoch. */
  tokens: z.int().positive(),
  learningRate: z.number().positive(),
  /** Steps of linear (ReLU, TopK) or cosine (JumpReLU) warm-up. */
  warmupSteps: z.int().nonnegative(),
  /** Share of the steps, at the end, over which the rate falls linearly to 0. */
  decayFraction: z.number().min(0).max(1),
  beta1: z.number().min(0).max(1),
  beta2: z.number().min(0).max(1),
  epsilon: z.number().positive(),
  /** Global gradient norm is clipped here; null leaves it alone. */
  clipNorm: z.number().positive().nullable(),
  /** A latent is dead when it has not fired for this many tokens. */
  deadAfter: z.int().positive(),
  /** Steps between checkpoints. */
  checkpointEvery: z.int().positive(),
  /** Steps between rows of metrics.arrow. */
  logEvery: z.int().positive(),
} as const;

export const trainingConfigSchema = z.discriminatedUnion('architecture', [
  z.strictObject({
    architecture: z.literal('relu'),
    ...trainingFields,
    /** λ of the L1 term, after its warm-up. */
    sparsityCoefficient: z.number().nonnegative(),
    /** Share of the steps over which λ rises linearly from 0. */
    sparsityWarmupFraction: z.number().min(0).max(1),
  }),
  z.strictObject({
    architecture: z.literal('topk'),
    ...trainingFields,
    k: z.int().positive(),
    /** α of AuxK. */
    auxCoefficient: z.number().nonnegative(),
  }),
  z.strictObject({
    architecture: z.literal('jumprelu'),
    ...trainingFields,
    sparsityCoefficient: z.number().nonnegative(),
    sparsityWarmupFraction: z.number().min(0).max(1),
    /** When set, the loss is λ(L0/L0* − 1)² with this L0* instead of λ·L0. */
    targetL0: z.number().positive().nullable(),
    /** ε of the straight-through estimators. */
    bandwidth: z.number().positive(),
    /** θ before the first step. */
    initialThreshold: z.number().positive(),
  }),
]);
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;
export type Architecture = TrainingConfig['architecture'];
export const architectures = ['relu', 'topk', 'jumprelu'] as const satisfies readonly Architecture[];

export const environmentSchema = z.strictObject({
  lazyscope: z.string(),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  backend: z.string(),
  threads: z.int().positive(),
  /** Of what a training step reads many times, where it isn't f32. */
  storage: z.literal('f16').optional(),
});
export type Environment = z.infer<typeof environmentSchema>;

/** runs/<name>/run.json: one configuration, several seeds. */
export const runManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  status: z.enum(['training', 'interrupted', 'complete']),
  config: trainingConfigSchema,
  /** Width of the activations. */
  d: z.int().positive(),
  /** s: activations were multiplied by it in training; it is folded into the exported weights. */
  scale: z.number().positive(),
  environment: environmentSchema,
  /** Optimiser steps done, of `totalSteps`. */
  step: z.int().nonnegative(),
  totalSteps: z.int().positive(),
  /** Wall-clock seconds of training so far, and tokens a second over all seeds together. */
  seconds: z.number().nonnegative(),
  tokensPerSecond: z.number().nonnegative(),
  /** Where imported dictionaries came from. How they were trained is not known: those fields of the configuration hold defaults. */
  origin: z.strictObject({ format: z.string(), files: z.array(z.string()) }).optional(),
});
export type RunManifest = z.infer<typeof runManifestSchema>;

/** runs/<name>/seed-<n>/evaluation.json (METHODS.md §2). Cross-entropies are in nats a token. */
export const evaluationSchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  seed: z.int(),
  /** Held-out tokens seen. */
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
  densityHistogram: z.strictObject({ edges: z.array(z.number()), counts: z.array(z.int()) }),
});
export type Evaluation = z.infer<typeof evaluationSchema>;

const dictionaryReferenceSchema = z.strictObject({ run: z.string(), seed: z.int() });
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
  fvu: z.number(),
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
export const comparisonManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  a: dictionaryReferenceSchema,
  b: dictionaryReferenceSchema,
  /** Architectures of a and b, for grouping. */
  architectures: z.tuple([z.string(), z.string()]),
  latents: z.int().positive(),
  threshold: z.number(),
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
export type ComparisonManifest = z.infer<typeof comparisonManifestSchema>;

/** What resting neurons cost, in true perplexity on `tokens` tokens (METHODS.md §4). */
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
      perplexity: z.number(),
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
      perplexity: z.number(),
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
export const sparsityReportSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  model: z.strictObject({
    name: z.string(),
    folder: z.string(),
    activation: z.string(),
    gated: z.boolean(),
    /** Where another activation function was put in its place. */
    trainedActivation: z.string().optional(),
  }),
  text: z.string(),
  tokens: z.int().positive(),
  crossEntropy: z.number(),
  /** The ε of `ratioAt`: share of neurons with |a| > ε. */
  thresholds: z.array(z.number()),
  layers: z.array(
    z.strictObject({
      layer: z.int().nonnegative(),
      neurons: z.int().positive(),
      /** Share of entries of act(·) that are not exactly zero. */
      activationRatio: z.number(),
      ratioAt: z.array(z.number()),
      /** Share of neurons that fired on no token. */
      deadRate: z.number(),
      /** Mean over batches of the share of neurons silent in the whole batch. */
      dynamicDeadRate: z.number(),
      /** CETT when only the strongest 2 % of the entries, by |a_i|·n_i, stay active: the same share for every model. */
      cett: z.number(),
      /** CETT at other shares of resting neurons. */
      cettAtResting: z.array(z.strictObject({ resting: z.number(), cett: z.number() })).optional(),
      /** Share of neurons still active at CETT = 0.2. */
      ratioAtCett: z.number(),
      /** Counts of neurons by firing frequency, 50 equal bins on [0, 1]. */
      frequencyHistogram: z.array(z.int()),
      /** Counts of tokens by the share of neurons that fire on them, in the same bins. */
      tokenHistogram: z.array(z.int()).optional(),
      /** H(p)/log n of each head, and the share of heads above ¾. */
      attentionEntropy: z.array(z.number()).optional(),
      attentionOverload: z.number().optional(),
      /** χ between embeddings of two stretches of text. */
      spaceFolding: z.number().optional(),
    }),
  ),
  /** The residual stream from the embedding to the last layer: signal propagation, and CKA with tokens read and tokens to come. */
  depth: z
    .array(
      z.strictObject({
        hook: z.string(),
        meanSquared: z.number(),
        variance: z.number(),
        /** Null where the labels of the sample do not vary. */
        inputAlignment: z.number().nullable(),
        targetAlignment: z.number().nullable(),
      }),
    )
    .optional(),
  interventions: interventionsSchema.optional(),
});
export type SparsityReport = z.infer<typeof sparsityReportSchema>;
