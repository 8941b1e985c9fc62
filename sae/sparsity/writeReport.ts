/** Writes a sparsity report: its tables first and report.json last, whose existence means that the tables are complete. */
import type { StoreLayout } from '../store/layout.ts';
import { sparsityReportKind, type SparsityReport } from '../spec/manifests/sparsityReport.ts';
import { writeParquet } from '../store/parquet.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { checkManifest, writeManifest } from '../store/writeManifest.ts';
import { sparsityCurveTable } from '../spec/tables/sparsityCurves.ts';
import { sparsityExampleTable } from '../spec/tables/sparsityExamples.ts';
import { sparsityPositionTable } from '../spec/tables/sparsityPositions.ts';
import { sparsityNeuronTable } from '../spec/tables/sparsityNeurons.ts';
import { sparsityTokenTable } from '../spec/tables/sparsityTokens.ts';
import { sparsityTradeoffTable } from '../spec/tables/sparsityTradeoff.ts';
import type { CettPoint } from './masking/cett.ts';
import type { SampledLayer } from './masking/sampledLayer.ts';
import type { NeuronFiring } from './firing/neuronFiring.ts';

/** The measurements of one layer, from which its rows of the tables are made. */
export interface MeasuredLayer {
  summary: SparsityReport['layers'][number];
  firing: NeuronFiring;
  curve: readonly CettPoint[];
  sample: SampledLayer;
  /** [neurons]: for each neuron the ids of the tokens it promotes most. */
  promoted: readonly Int32Array[];
}

export async function writeReport(
  store: StoreLayout,
  report: SparsityReport,
  layers: readonly MeasuredLayer[],
  contexts: Int32Array,
): Promise<void> {
  const { name } = report;
  const path = store.sparsityReport(name);
  checkManifest(path, sparsityReportKind, report);
  // An old report.json must not remain beside new tables, because its existence means that the tables belong to it.
  await removeStored(path);
  await writeParquet(store.sparsityTable(name, 'layers'), sparsityPositionTable, layers.map(byPosition));
  await writeParquet(store.sparsityTable(name, 'neurons'), sparsityNeuronTable, layers.map(byNeuron));
  await writeParquet(store.sparsityTable(name, 'curves'), sparsityCurveTable, layers.map(byThreshold));
  await writeParquet(store.sparsityTable(name, 'tokens'), sparsityTokenTable, layers.map(byToken));
  await writeParquet(
    store.sparsityTable(name, 'examples'),
    sparsityExampleTable,
    layers.map((layer) => byExample(layer, contexts)),
    { rowGroupSize: 8192 },
  );
  if (report.interventions)
    await writeParquet(
      store.sparsityTable(name, 'tradeoff'),
      sparsityTradeoffTable,
      tradeoffTable(report.interventions.tradeoff),
    );
  else await removeStored(store.sparsityTable(name, 'tradeoff'));
  await writeManifest(path, sparsityReportKind, report);
}

/** The columns of sparsity/<name>/tradeoff.parquet. */
export function tradeoffTable(points: NonNullable<SparsityReport['interventions']>['tradeoff']) {
  return {
    method: points.map(({ method }) => method),
    setting: points.map(({ setting }) => setting ?? ''),
    value: points.map(({ value }) => value ?? Number.NaN),
    rank: points.map(({ rank }) => rank ?? 0),
    sparsity: points.map(({ sparsity }) => sparsity),
    perplexity: points.map(({ perplexity }) => perplexity ?? Number.POSITIVE_INFINITY),
    savedOfMlp: points.map(({ savedOfMlp }) => savedOfMlp),
    savedOfAll: points.map(({ savedOfAll }) => savedOfAll),
  };
}

function byPosition({ summary, firing }: MeasuredLayer) {
  const activationRatio = firing.ratioByPosition();
  return {
    layer: new Int32Array(activationRatio.length).fill(summary.layer),
    position: Int32Array.from(activationRatio, (_, position) => position),
    activationRatio,
  };
}

function byNeuron({ summary, firing, sample, promoted }: MeasuredLayer) {
  const neuron = Int32Array.from({ length: summary.neurons }, (_, i) => i);
  return {
    layer: new Int32Array(summary.neurons).fill(summary.layer),
    neuron,
    frequency: firing.frequency(),
    frequencyAt: firing.frequencyAt(),
    meanActivation: firing.meanActivation(),
    maxActivation: firing.maxActivation(),
    routed: firing.routedShare() ?? new Float64Array(summary.neurons).fill(Number.NaN),
    outputNorm: sample.outputNorms,
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

function byToken({ summary, firing }: MeasuredLayer) {
  const rows = firing.ratioByToken();
  return {
    layer: new Int32Array(rows.length).fill(summary.layer),
    token: rows.map(({ token }) => token),
    occurrences: rows.map(({ occurrences }) => occurrences),
    activationRatio: rows.map(({ activationRatio }) => activationRatio),
  };
}

function byExample({ summary, firing }: MeasuredLayer, contexts: Int32Array) {
  const { positions } = firing;
  const rows = Array.from({ length: summary.neurons }, (_, neuron) =>
    firing.examples.of(neuron).map((example, rank) => ({ neuron, rank, ...example })),
  ).flat();
  return {
    layer: new Int32Array(rows.length).fill(summary.layer),
    neuron: rows.map(({ neuron }) => neuron),
    rank: rows.map(({ rank }) => rank),
    activation: rows.map(({ place, start, activations }) => activations[place - start]),
    context: rows.map(({ place }) => Math.floor(place / positions)),
    position: rows.map(({ place }) => place % positions),
    start: rows.map(({ start }) => start % positions),
    tokens: rows.map(({ start, activations }) => contexts.subarray(start, start + activations.length)),
    activations: rows.map(({ activations }) => activations),
  };
}
