/** A description with what most decoders share filled in: a family's file says only where it differs. */
import type { LayerAttention, ModelConfig, ModelSizes, Norm } from '../modelConfig.ts';

export const rmsNormed: Norm = { kind: 'rms', gain: true, bias: false, gainOffset: 0 };
export const layerNormed: Norm = { kind: 'layer', gain: true, bias: true, gainOffset: 0 };

type Biases = ModelConfig['biases'];

export interface DecoderChoices extends Partial<
  Omit<ModelConfig, keyof ModelSizes | 'family' | 'biases' | 'attention' | 'embedding'>
> {
  norm: Norm;
  biases?: Partial<Biases>;
  embedding?: Partial<ModelConfig['embedding']>;
  /** Of a layer, where it differs from all keys, no rotary positions and a scale of 1/√head. */
  attention?: (layer: number) => Partial<LayerAttention>;
}

/** Pre-norm, serial, without biases, soft caps or multipliers, unless `choices` says otherwise. */
export function describeDecoder(family: string, sizes: ModelSizes, choices: DecoderChoices): ModelConfig {
  const { biases, embedding, attention, ...rest } = choices;
  return {
    ...sizes,
    family,
    normPlacement: 'before',
    finalNorm: true,
    parallel: false,
    residualMultiplier: 1,
    logitMultiplier: 1,
    ...rest,
    biases: {
      queryKeyValue: false,
      attentionOutput: false,
      mlpIn: false,
      mlpOut: false,
      unembedding: false,
      ...biases,
    },
    embedding: { multiplier: 1, norm: false, width: sizes.d, ...embedding },
    attention: Array.from({ length: sizes.layers }, (_, layer) => ({
      scale: 1 / Math.sqrt(sizes.headWidth),
      ...attention?.(layer),
    })),
  };
}
