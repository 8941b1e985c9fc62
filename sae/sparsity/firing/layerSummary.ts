/** The figures of one layer for the report: from the streaming measures, and CETT by exact products on the sampled tokens. */
import type { LanguageModel } from '../../models/languageModel.ts';
import type { SparsityReport } from '../../spec/manifests/sparsityReport.ts';
import { layerMetricValues } from '../layerMetrics/layerComputations.ts';
import type { CettPoint } from '../masking/cett.ts';
import { sampledLayer, type SampledLayer } from '../masking/sampledLayer.ts';
import type { StreamingMeasures } from '../streamingMeasures.ts';

export type LayerSummary = SparsityReport['layers'][number];

/** Shares of masked neurons at which every report quotes CETT. */
export const quotedMaskedShares = [0.25, 0.5, 0.75, 0.9];

export interface SummarisedLayer {
  summary: LayerSummary;
  curve: CettPoint[];
  sample: SampledLayer;
}

/** `folding` is χ of space folding, where it was measured. */
export function summariseLayer(
  model: LanguageModel,
  layer: number,
  measures: StreamingMeasures,
  folding?: number,
): SummarisedLayer {
  const { neurons, experts } = model.config;
  const firing = measures.firing[layer];
  const entropy = measures.entropy[layer];
  const sample = sampledLayer(model, layer, measures.activationSample.layers[layer]);
  const { activations, cett } = sample;
  const curve = cett.curve();
  const byExpert = firing.byExpert();
  return {
    curve,
    sample,
    summary: {
      layer,
      neurons,
      ...layerMetricValues({ neurons, firing, entropy, activations, cett, curve, folding }),
      ratioAt: firing.ratioAt(),
      // The field names are those of reports written before these neurons were called masked.
      cettAtResting: quotedMaskedShares.map((share) => ({
        resting: share,
        cett: cett.at(cett.thresholdMasking(share)),
      })),
      frequencyHistogram: firing.frequencyHistogram(),
      tokenHistogram: firing.tokenHistogram(),
      ...(experts && byExpert ? { experts: { perToken: experts.perToken, each: byExpert } } : {}),
      attentionEntropy: [...entropy.byHead()],
    },
  };
}
