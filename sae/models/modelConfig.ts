/**
 * What a decoder computes, as plain data: sizes, and every choice in which families differ. A file of
 * sae/models/families/ makes it from a config.json; decoder.ts and decoderParts.ts run whatever it says.
 */
import type { ActivationFunctionName } from './activationFunctions/activationFunctions.ts';

export interface ModelSizes {
  vocabularySize: number;
  /** Positions the model was made for. */
  contextLength: number;
  /** Width of the residual stream. */
  d: number;
  layers: number;
  heads: number;
  /** Fewer than `heads` in grouped-query attention: consecutive query heads share one. */
  keyValueHeads: number;
  /** Width of one head. */
  headWidth: number;
  /** Width of the MLP; of all experts together where it is a mixture. */
  neurons: number;
  activation: ActivationFunctionName;
  /** Whether the MLP is act(gate) ⊙ up instead of act(pre). */
  gated: boolean;
  /** ε inside the norms. */
  normEpsilon: number;
  /** Whether the unembedding is the embedding, transposed. */
  tiedEmbeddings: boolean;
  bosId?: number;
  eosIds: readonly number[];
}

export interface Norm {
  kind: 'rms' | 'layer';
  /** Whether there is a gain; without one it is 1. */
  gain: boolean;
  bias: boolean;
  /** What is added to the stored gain: 1 where files hold gain − 1 (Gemma, Nemotron). */
  gainOffset: 0 | 1;
}

/** The norm of queries and keys before positions are applied. */
export interface QueryKeyNorm extends Norm {
  /** Over each head alone, or over all heads side by side. */
  over: 'head' | 'allHeads';
  /** Over heads: one gain for all heads, one tensor [heads, head], or a tensor for each head. */
  gains: 'shared' | 'byHead' | 'apart';
}

/** Rotary positions (Su et al., 2104.09864). */
export interface Rotary {
  /** How many of a head's components turn, from the first; even. */
  dims: number;
  /** What turns together: component i with i + dims/2, or 2i with 2i + 1. */
  pairs: 'halves' | 'neighbours';
  /** The base, before any scaling. */
  theta: number;
  /** Angle a position, in radians, [dims/2]; scaling included. */
  frequencies: readonly number[];
  /** What cosines and sines are multiplied by (YaRN's attention factor). */
  factor: number;
}

export interface LayerAttention {
  /** Of the scores, before soft cap and mask. */
  scale: number;
  /** How many keys a query sees, itself included; all before it when absent. */
  window?: number;
  rotary?: Rotary;
}

/** Linear biases by position (Press et al., 2108.12409): slope · key position, added to the scores. */
export interface Alibi {
  /** Whether the bias is multiplied by the scale of the scores as well. */
  scaled: boolean;
  /** Whether slopes and biases are rounded to bfloat16, as Falcon's are in every precision. */
  bfloat16: boolean;
}

export interface ModelConfig extends ModelSizes {
  /** A key of the registry in families.ts. */
  family: string;
  norm: Norm;
  /**
   * `before`: x + f(norm(x)). `output`: x + norm(f(x)). `both`: x + norm(f(norm(x))). `after`: norm(x + f(x)).
   */
  normPlacement: 'before' | 'output' | 'both' | 'after';
  finalNorm: boolean;
  /**
   * Whether attention and MLP read the same residual stream and are added to it together; the MLP reads attention's
   * normed input (`sharedNorm`) or has a norm of its own.
   */
  parallel: false | 'sharedNorm' | 'ownNorms';
  biases: {
    queryKeyValue: boolean;
    attentionOutput: boolean;
    mlpIn: boolean;
    mlpOut: boolean;
    unembedding: boolean;
  };
  /** Of an encoder, which reads text in both directions and predicts no next token; absent in decoders. */
  encoder?: {
    /** Rows of the table of token types. */
    tokenTypes: number;
    /** Whether there is a head for masked words: dense, activation function, norm, and the embedding with a bias. */
    head: boolean;
  };
  embedding: {
    /** What embeddings are multiplied by. */
    multiplier: number;
    /** Whether a norm with bias follows them; in an encoder after positions and token types are added. */
    norm: boolean;
    /** Width of the table; where it is not d, a matrix leads in and one leads out. */
    width: number;
  };
  /** Learned positions; the first `offset` rows of their table stand for no position. */
  learnedPositions?: { offset: number };
  alibi?: Alibi;
  /** By layer. */
  attention: readonly LayerAttention[];
  queryKeyNorm?: QueryKeyNorm;
  /** Of a mixture of experts: how many, and to how many a token goes. */
  experts?: { count: number; perToken: number };
  /** c in c · tanh(score / c). */
  attentionSoftCap?: number;
  /** What attention and MLP write is multiplied by it. */
  residualMultiplier: number;
  logitMultiplier: number;
  /** c in c · tanh(logit / c), after the multiplier. */
  logitSoftCap?: number;
}
