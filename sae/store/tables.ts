/**
 * Columns of the Parquet tables in the store, as DuckDB types. Writers create a table from its
 * definition here and readers query the same names, so that a column is spelled once.
 */
export type ColumnType =
  'INTEGER' | 'BIGINT' | 'DOUBLE' | 'FLOAT' | 'BOOLEAN' | 'VARCHAR' | 'INTEGER[]' | 'FLOAT[]';
export type TableDefinition = Readonly<Record<string, ColumnType>>;

/** seed-<n>/features.parquet: one row a latent, over the held-out tokens. */
export const featureColumns = {
  latent: 'INTEGER',
  /** Share of tokens on which the latent is active. */
  density: 'DOUBLE',
  firings: 'BIGINT',
  dead: 'BOOLEAN',
  maxActivation: 'DOUBLE',
  /** Over the tokens on which it is active. */
  meanActivation: 'DOUBLE',
  /** Counts in 32 equal bins on (0, maxActivation]. */
  histogram: 'INTEGER[]',
  decoderNorm: 'DOUBLE',
  encoderDecoderCosine: 'DOUBLE',
  biasEncoder: 'DOUBLE',
  /** The tokens whose logits the decoder row raises and lowers most, strongest first, with the change a unit of activation. */
  promotedTokens: 'INTEGER[]',
  promotedLogits: 'FLOAT[]',
  suppressedTokens: 'INTEGER[]',
  suppressedLogits: 'FLOAT[]',
  /** Latents of the same dictionary with the nearest decoder rows, and their cosines. */
  neighbours: 'INTEGER[]',
  neighbourCosines: 'FLOAT[]',
  /** The token ids it fires on most often. */
  topTokens: 'INTEGER[]',
  topTokenCounts: 'INTEGER[]',
} as const satisfies TableDefinition;

/** seed-<n>/stability.parquet: one row a latent, over the comparisons with other seeds of the same configuration. */
export const stabilityColumns = {
  latent: 'INTEGER',
  /** In how many of the `compared` other seeds it is shared, and that as a share. */
  sharedWith: 'INTEGER',
  compared: 'INTEGER',
  stability: 'DOUBLE',
} as const satisfies TableDefinition;

/** A stretch of a text around a peak. */
const stretchColumns = {
  context: 'INTEGER',
  /** Position of the peak in its context, and of the first token shown. */
  position: 'INTEGER',
  start: 'INTEGER',
  tokens: 'INTEGER[]',
  activations: 'FLOAT[]',
} as const satisfies TableDefinition;

/** seed-<n>/examples.parquet: stretches of held-out text around an activation. */
export const exampleColumns = {
  latent: 'INTEGER',
  /** `top`, or `quantile-0` (weakest) … `quantile-4` of the activation range. */
  band: 'VARCHAR',
  rank: 'INTEGER',
  /** Activation at the peak. */
  activation: 'DOUBLE',
  ...stretchColumns,
} as const satisfies TableDefinition;

/** seed-<n>/loadings.parquet: the neurons that write along a latent's decoder row, strongest first. */
export const loadingColumns = {
  latent: 'INTEGER',
  rank: 'INTEGER',
  layer: 'INTEGER',
  neuron: 'INTEGER',
  cosine: 'DOUBLE',
} as const satisfies TableDefinition;

/** comparisons/<name>/matches.parquet: one row a latent of a; −1 where b has no counterpart. */
export const matchColumns = {
  latent: 'INTEGER',
  /** Counterpart and cosine in the optimal decoder matching, then in the encoder matching. */
  decoderMatch: 'INTEGER',
  decoderCosine: 'DOUBLE',
  encoderMatch: 'INTEGER',
  encoderCosine: 'DOUBLE',
  shared: 'BOOLEAN',
  /** The nearest decoder row of b, matched or not. */
  nearest: 'INTEGER',
  nearestCosine: 'DOUBLE',
  /** Pearson correlation of activations with decoderMatch on the union of firings, and Jaccard of firing, on held-out tokens; NaN where neither fires or one does not vary. */
  activationCorrelation: 'DOUBLE',
  firingJaccard: 'DOUBLE',
} as const satisfies TableDefinition;

/** comparisons/<name>/curve.parquet: shared fraction against the threshold, 0 to 1 in steps of 0.01. */
export const curveColumns = {
  threshold: 'DOUBLE',
  shared: 'DOUBLE',
  decoder: 'DOUBLE',
  encoder: 'DOUBLE',
  greedy: 'DOUBLE',
} as const satisfies TableDefinition;

/** comparisons/<name>/map.parquet: latents of both dictionaries laid out by their decoder rows. */
export const mapColumns = {
  /** 0 for a, 1 for b. */
  side: 'INTEGER',
  latent: 'INTEGER',
  x: 'FLOAT',
  y: 'FLOAT',
} as const satisfies TableDefinition;

/** sparsity/<name>/layers.parquet: activation ratio by position in the sequence. */
export const sparsityLayerColumns = {
  layer: 'INTEGER',
  position: 'INTEGER',
  activationRatio: 'DOUBLE',
} as const satisfies TableDefinition;

/** sparsity/<name>/neurons.parquet: one row a neuron. */
export const sparsityNeuronColumns = {
  layer: 'INTEGER',
  neuron: 'INTEGER',
  /** Share of tokens on which it is not exactly zero, and on which |a| > the report's middle threshold. */
  frequency: 'DOUBLE',
  frequencyAt: 'DOUBLE',
  /** Mean of a over the tokens on which it fires, and the largest |a|. */
  meanActivation: 'DOUBLE',
  maxActivation: 'DOUBLE',
  outputNorm: 'DOUBLE',
  /** Tokens on which |a| was largest, strongest first, and tokens it writes (W_down[:,i]·W_U). */
  topTokens: 'INTEGER[]',
  promotedTokens: 'INTEGER[]',
} as const satisfies TableDefinition;

/** sparsity/<name>/tokens.parquet: activation ratio by token id, of those that occurred. */
export const sparsityTokenColumns = {
  layer: 'INTEGER',
  token: 'INTEGER',
  occurrences: 'INTEGER',
  activationRatio: 'DOUBLE',
} as const satisfies TableDefinition;

/** sparsity/<name>/examples.parquet: the stretches of text on which a neuron is strongest. */
export const sparsityExampleColumns = {
  layer: 'INTEGER',
  neuron: 'INTEGER',
  rank: 'INTEGER',
  /** a at the peak. */
  activation: 'DOUBLE',
  ...stretchColumns,
} as const satisfies TableDefinition;

/** sparsity/<name>/tradeoff.parquet: what each masking method costs and saves. */
export const sparsityTradeoffColumns = {
  method: 'VARCHAR',
  /** What was set, and to what; empty and NaN for the model as it is. */
  setting: 'VARCHAR',
  value: 'DOUBLE',
  /** R-Sparse's; 0 for the others. */
  rank: 'INTEGER',
  sparsity: 'DOUBLE',
  perplexity: 'DOUBLE',
  /** Multiply-adds saved, as shares of all MLPs, and of the whole forward pass. */
  savedOfMlp: 'DOUBLE',
  savedOfAll: 'DOUBLE',
} as const satisfies TableDefinition;

/** sparsity/<name>/curves.parquet: CETT against sparsity, per layer. */
export const sparsityCurveColumns = {
  layer: 'INTEGER',
  /** Threshold on |a_i|·n_i. */
  threshold: 'DOUBLE',
  cett: 'DOUBLE',
  /** Share of neurons above the threshold. */
  activeRatio: 'DOUBLE',
} as const satisfies TableDefinition;
