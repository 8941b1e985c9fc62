/**
 * Activation sparsity during training (Lazy Neuron, 2210.06313; Sparsing Law, 2411.02335): the streaming measures on held-out
 * contexts, before the first step and at steps spread evenly over the logarithm of the step.
 */
import type { LanguageModel } from '../../models/languageModel.ts';
import type { TrainingObserver } from '../../pretraining/trainLanguageModel.ts';
import { ratioThresholds } from '../measureSparsity.ts';
import { summariseLayer } from '../firing/layerSummary.ts';
import { streamActivations } from '../streamActivations.ts';
import { StreamingMeasures } from '../streamingMeasures.ts';

/** Number of held-out tokens on which each observation is made. */
const observedTokens = 4096;
const batchTokens = 2048;

export function emergenceObserver(steps: number, points: number): TrainingObserver {
  return { steps: spreadSteps(steps, points), observe: observeSparsity };
}

/** At most `points` different steps from 1 to `steps`, evenly spaced in their logarithm. */
export function spreadSteps(steps: number, points: number): number[] {
  const all = Array.from({ length: points }, (_, i) =>
    Math.round(steps ** (points === 1 ? 1 : i / (points - 1))),
  );
  return [...new Set(all)];
}

async function observeSparsity(model: LanguageModel, contexts: Int32Array): Promise<Record<string, unknown>> {
  const seq = model.config.contextLength;
  const shown = contexts.subarray(0, Math.max(1, Math.floor(observedTokens / seq)) * seq);
  const measures = new StreamingMeasures(model, {
    tokens: shown.length,
    seq,
    thresholds: ratioThresholds,
    sampleTokens: 256,
    examples: 0,
  });
  const batchContexts = Math.max(1, Math.floor(batchTokens / seq));
  const { hooks } = measures;
  const streaming = { seq, batchContexts, hooks, attentionEntropy: true };
  await streamActivations(model, shown, streaming, (batch) => measures.add(batch));
  return {
    crossEntropy: measures.crossEntropy(),
    layers: measures.firing.map((_, layer) => {
      const { summary } = summariseLayer(model, layer, measures);
      const { activationRatio, ratioAt, deadRate, dynamicDeadRate, ratioAtCett, attentionOverload } = summary;
      return { layer, activationRatio, ratioAt, deadRate, dynamicDeadRate, ratioAtCett, attentionOverload };
    }),
  };
}
