/** Writes a sparsity report: three tables, and last report.json, which says that they are whole. */
import { rm } from 'node:fs/promises';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { SparsityReport } from '../store/manifests.ts';
import { writeParquet } from '../store/parquet.ts';
import { sparsityCurveColumns, sparsityLayerColumns, sparsityNeuronColumns } from '../store/tables.ts';
import type { CettPoint } from './cett.ts';
import type { NeuronFiring } from './neuronFiring.ts';

/** What the tables of one layer are made of. */
export interface MeasuredLayer {
  summary: SparsityReport['layers'][number];
  firing: NeuronFiring;
  curve: readonly CettPoint[];
  /** [neurons] */
  outputNorms: Float64Array;
  /** [neurons] lists of token ids. */
  promoted: readonly Int32Array[];
}

export async function writeReport(
  store: StoreLayout,
  report: SparsityReport,
  layers: readonly MeasuredLayer[],
): Promise<void> {
  const { name } = report;
  // A report of an earlier measurement must not vouch for the tables of this one.
  await rm(store.sparsityReport(name), { force: true });
  await writeParquet(store.sparsityTable(name, 'layers'), sparsityLayerColumns, layers.map(byPosition));
  await writeParquet(store.sparsityTable(name, 'neurons'), sparsityNeuronColumns, layers.map(byNeuron));
  await writeParquet(store.sparsityTable(name, 'curves'), sparsityCurveColumns, layers.map(byThreshold));
  await writeJsonAtomic(store.sparsityReport(name), report);
}

function byPosition({ summary, firing }: MeasuredLayer) {
  const activationRatio = firing.ratioByPosition();
  return {
    layer: new Int32Array(activationRatio.length).fill(summary.layer),
    position: Int32Array.from(activationRatio, (_, position) => position),
    activationRatio,
  };
}

function byNeuron({ summary, firing, outputNorms, promoted }: MeasuredLayer) {
  const neuron = Int32Array.from({ length: summary.neurons }, (_, i) => i);
  return {
    layer: new Int32Array(summary.neurons).fill(summary.layer),
    neuron,
    frequency: firing.frequency(),
    frequencyAt: firing.frequencyAt(),
    meanActivation: firing.meanActivation(),
    maxActivation: firing.maxActivation(),
    outputNorm: outputNorms,
    topTokens: Array.from(neuron, (i) => firing.strongestTokens(i)),
    promotedTokens: promoted,
  };
}

function byThreshold({ summary, curve }: MeasuredLayer) {
  return {
    layer: new Int32Array(curve.length).fill(summary.layer),
    threshold: curve.map((point) => point.threshold),
    cett: curve.map((point) => point.cett),
    activeRatio: curve.map((point) => point.activeRatio),
  };
}
