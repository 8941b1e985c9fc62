/** Multiply-adds of a forward pass, per token, and what resting neurons save of them (METHODS.md §4). */
import type { ModelConfig } from '../models/modelConfig.ts';

export interface MultiplyAdds {
  /** The MLP matrices of one layer: two, or three where it is gated. */
  mlpLayer: number;
  /** All layers' MLPs. */
  mlp: number;
  /** Attention's projections, and its scores and mixing at half a context on average. */
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

/**
 * Multiply-adds saved in one layer at this share of resting neurons: a resting neuron's row of W_down is not read, and
 * where the gate alone decides, nor is its column of W_up. `rank` is what R-Sparse spends again.
 */
export function savedMultiplyAdds(
  { d, neurons, gated }: ModelConfig,
  sparsity: number,
  { byGate, rank = 0 }: { byGate: boolean; rank?: number },
): number {
  const matrices = gated && byGate ? 2 : 1;
  return sparsity * matrices * d * neurons - rank * (neurons + d);
}
