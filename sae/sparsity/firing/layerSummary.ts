/** The figures of one layer for the report: from the streaming measures, and CETT by exact products on the sampled tokens. */
import type { LanguageModel } from '../../models/languageModel.ts';
import type { SparsityReport } from '../../spec/manifests/sparsityReport.ts';
import { tf } from '../../tensor/tf.ts';
import { Cett, outputNorms, quotedRatio } from '../masking/cett.ts';
import type { CettPoint } from '../masking/cett.ts';
import type { StreamingMeasures } from '../streamingMeasures.ts';

export type LayerSummary = SparsityReport['layers'][number];

/** Shares of masked neurons at which every report quotes CETT. */
export const quotedMaskedShares = [0.25, 0.5, 0.75, 0.9];
/** CETT at which the papers quote the share of active neurons. */
const quotedCett = 0.2;

export interface SummarisedLayer {
  summary: LayerSummary;
  curve: CettPoint[];
  /** [neurons]: n_i, the norm of what each neuron writes. */
  outputNorms: Float64Array;
}

export function summariseLayer(
  model: LanguageModel,
  layer: number,
  measures: StreamingMeasures,
): SummarisedLayer {
  const { neurons, d } = model.config;
  const firing = measures.firing[layer];
  const entropy = measures.entropy[layer];
  const outputs = model.neuronOutputs(layer);
  const rows = outputs.dataSync<'float32'>();
  const cett = new Cett(measures.activationSample.layers[layer], rows, { neurons, d });
  try {
    const curve = cett.curve();
    return {
      curve,
      outputNorms: outputNorms(rows, neurons, d),
      summary: {
        layer,
        neurons,
        activationRatio: firing.activationRatio(),
        ratioAt: firing.ratioAt(),
        deadRate: firing.deadRate(),
        dynamicDeadRate: firing.dynamicDeadRate(),
        cett: cett.at(cett.thresholdMasking(1 - quotedRatio)),
        // The field names are those of reports written before these neurons were called masked.
        cettAtResting: quotedMaskedShares.map((share) => ({
          resting: share,
          cett: cett.at(cett.thresholdMasking(share)),
        })),
        ratioAtCett: cett.solve(quotedCett, curve).activeRatio,
        frequencyHistogram: firing.frequencyHistogram(),
        tokenHistogram: firing.tokenHistogram(),
        attentionEntropy: [...entropy.byHead()],
        attentionOverload: entropy.overload(),
      },
    };
  } finally {
    cett.dispose();
    tf.dispose(outputs);
  }
}
