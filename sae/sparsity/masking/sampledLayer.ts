/** One layer's activations on a sample of tokens, with what masking rules need to know of them. */
import type { LanguageModel } from '../../models/languageModel.ts';
import { Cett, outputNorms } from './cett.ts';

export interface SampledLayer {
  /** a, what W_down reads, [tokens, neurons]. */
  readonly activations: Float32Array;
  /** On the same tokens. */
  readonly cett: Cett;
  /** [neurons]: n_i, the norm of what each neuron writes. */
  readonly outputNorms: Float64Array;
}

export function sampledLayer(model: LanguageModel, layer: number, activations: Float32Array): SampledLayer {
  const { neurons, d } = model.config;
  const outputs = model.neuronOutputs(layer);
  const rows = outputs.dataSync<'float32'>();
  outputs.dispose();
  return {
    activations,
    cett: new Cett(activations, rows, { neurons, d }),
    outputNorms: outputNorms(rows, neurons, d),
  };
}
