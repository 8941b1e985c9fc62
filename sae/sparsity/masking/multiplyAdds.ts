/** Multiply-adds of a forward pass, per token, and what masking neurons saves of them (METHODS.md §4). */
import type { ModelConfig } from '../../models/modelConfig.ts';

export interface MultiplyAdds {
  /** In the MLP matrices of one layer, of which there are two, or three where it is gated. */
  mlpLayer: number;
  /** In the MLPs of all layers. */
  mlp: number;
  /** In attention: its projections, and scores and weighted sums over half a context, which is what a query sees on average. */
  attention: number;
  unembedding: number;
  total: number;
}

export function multiplyAdds(config: ModelConfig, contextLength: number): MultiplyAdds {
  const { d, neurons, layers, heads, keyValueHeads, headWidth, gated, vocabularySize } = config;
  const mlpLayer = (gated ? 3 : 2) * d * neurons;
  const projections = d * headWidth * (2 * heads + 2 * keyValueHeads);
  const attention = layers * (projections + 2 * heads * headWidth * (contextLength / 2));
  const mlp = layers * mlpLayer;
  const unembedding = d * vocabularySize;
  return { mlpLayer, mlp, attention, unembedding, total: mlp + attention + unembedding };
}

export const mlpMatrices = ['W_in', 'W_gate', 'W_up', 'W_down'] as const;
export type MlpMatrix = (typeof mlpMatrices)[number];

/**
 * What must be computed before it is known which neurons are masked: `value`, a itself; `gate`, what the activation function
 * reads or gives; `draw`, nothing, because they are drawn at random.
 */
export type KnownFrom = 'value' | 'gate' | 'draw';

/** How much of one layer's MLP is masked. */
export interface MaskedLayer {
  /** Share of entries of a that are 0. */
  masked: number;
  /** Share of entries of act(g) that are exactly 0 before any neuron is masked; unused where the MLP is not gated. */
  closed: number;
  knownFrom: KnownFrom;
  /** Share of the neurons that were drawn, whether or not they would have fired. */
  drawn?: number;
}

/**
 * Share of each MLP matrix's multiply-adds that need not be done: of W_down the rows of masked neurons, which is all that most
 * rules spare, because it takes W_in or W_gate to know which they are. Where gated, W_up's columns are spared as well for gates that are
 * closed or closed by the rule. What a draw decides spares every matrix. Comparisons and thresholds are not counted.
 */
export function sparedShares(
  { gated }: Pick<ModelConfig, 'gated'>,
  { masked, closed, knownFrom, drawn = 0 }: MaskedLayer,
): Partial<Record<MlpMatrix, number>> {
  const first = knownFrom === 'draw' ? drawn : 0;
  if (!gated) return { W_in: first, W_down: masked };
  return { W_gate: first, W_up: knownFrom === 'value' ? closed : masked, W_down: masked };
}

/** Multiply-adds saved in one layer for one token; R-Sparse spends rank · (neurons + d) of them again. */
export function savedMultiplyAdds(
  { d, neurons, gated }: Pick<ModelConfig, 'd' | 'neurons' | 'gated'>,
  layer: MaskedLayer,
  rank = 0,
): number {
  const spared = Object.values(sparedShares({ gated }, layer)).reduce((sum, share) => sum + share, 0);
  return spared * d * neurons - rank * (neurons + d);
}
