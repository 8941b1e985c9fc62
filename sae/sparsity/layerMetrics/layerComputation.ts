import type { AttentionEntropy } from '../depth/attentionEntropy.ts';
import type { NeuronFiring } from '../firing/neuronFiring.ts';
import type { Cett, CettPoint } from '../masking/cett.ts';

/** What is known of a layer once the text has passed. */
export interface MeasuredLayerParts {
  readonly neurons: number;
  /** Counts over all tokens. */
  readonly firing: NeuronFiring;
  readonly entropy: AttentionEntropy;
  /** a, what W_down reads, on a sample of the tokens: [sample, neurons]. */
  readonly activations: Float32Array;
  /** On the same sample. */
  readonly cett: Cett;
  readonly curve: readonly CettPoint[];
  /** χ of space folding; undefined where no paths were walked, as while a model trains. */
  readonly folding: number | undefined;
}

/** A metric of one layer; NaN where it is undefined. */
export type LayerComputation = (layer: MeasuredLayerParts) => number;
