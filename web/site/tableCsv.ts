/** Tables of which the site has every column, as the CSV that the server gives. */
import { csvCell } from '../../sae/spec/csvCell.ts';
import { exampleTable } from '../../sae/spec/tables/examples.ts';
import { matchTable } from '../../sae/spec/tables/matches.ts';
import { sharedCurveTable } from '../../sae/spec/tables/sharedCurve.ts';
import { sparsityCurveTable } from '../../sae/spec/tables/sparsityCurves.ts';
import { sparsityExampleTable } from '../../sae/spec/tables/sparsityExamples.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { sparsityPositionTable } from '../../sae/spec/tables/sparsityPositions.ts';
import type { Table } from '../../sae/spec/tables/table.ts';
import { rowAt } from '../../sae/store/columnRows.ts';
import type { ComparisonDetail } from '../../server/contract/comparisons.ts';
import type { Example, FeatureDetail } from '../../server/contract/features.ts';
import type { SparsityDetail } from '../../server/contract/sparsity.ts';
import { answer } from './answer.ts';
import { matchesOf } from './matchLists.ts';
import { getNeuron, layerOf } from './neurons.ts';

/** What a table is of, and which rows of it are asked for, as in the server's addresses. */
export type TableOf = Readonly<Record<string, string | number>>;

/** The table as CSV (RFC 4180); undefined where the site hasn't all of its columns, or would have to read all of its blocks for its rows. */
export function tableCsv(table: string, of: TableOf): (() => Promise<string>) | undefined {
  const { run, seed, latent, comparison, report, layer, neuron } = of;
  switch (table) {
    case 'matches':
      return isText(comparison) ? () => matchesCsv(comparison) : undefined;
    case 'shared-curve':
      return isText(comparison) ? () => curveCsv(comparison) : undefined;
    case 'examples':
      return isText(run) && isNumber(seed) && isNumber(latent) ? () => examplesCsv({ run, seed, latent }) : undefined;
    case 'sparsity-neurons':
      return isText(report) && isNumber(layer) ? () => neuronsCsv(report, layer, neuron) : undefined;
    case 'sparsity-examples':
      return isText(report) && isNumber(layer) && isNumber(neuron) ? () => neuronExamplesCsv(report, layer, neuron) : undefined;
    case 'sparsity-curves':
      return isText(report) ? () => layersCsv(report, layer, 'curves') : undefined;
    case 'sparsity-layers':
      return isText(report) ? () => layersCsv(report, layer, 'positions') : undefined;
    default:
      return undefined;
  } // prettier-ignore
}

const isText = (value: string | number | undefined) => typeof value === 'string';
const isNumber = (value: string | number | undefined) => typeof value === 'number';

function csvOf(table: Table, rows: readonly Readonly<Record<string, unknown>>[]): string {
  const names = Object.keys(table);
  const lines = rows.map((row) => names.map((name) => csvCell(row[name])).join(','));
  return [names.join(','), ...lines, ''].join('\r\n');
}

/** As the table has them, where no counterpart is −1. */
async function matchesCsv(comparison: string): Promise<string> {
  const { rows } = await matchesOf(comparison);
  const stored = rows.map((row) => ({
    ...row,
    decoderMatch: row.decoderMatch ?? -1,
    encoderMatch: row.encoderMatch ?? -1,
  }));
  return csvOf(matchTable, stored);
}

async function curveCsv(name: string): Promise<string> {
  const found = (await answer({ procedure: 'comparisons.get', input: { name } })) as ComparisonDetail;
  // Where chance was not measured the page has the exact law's in its place, and the table nothing.
  const rows =
    found.isotropicChance === null
      ? found.curve
      : found.curve.map((row) => ({ ...row, nearestChance: null }));
  return csvOf(sharedCurveTable, rows);
}

async function examplesCsv(feature: { run: string; seed: number; latent: number }): Promise<string> {
  const { examples } = (await answer({ procedure: 'features.get', input: feature })) as FeatureDetail;
  // The page has the strongest fifth first, the table the weakest.
  const [top, others] = [true, false].map((wanted) =>
    examples.filter(({ band }) => (band === 'top') === wanted),
  );
  const rows = [...top, ...others.toReversed()].flatMap(({ band, examples: own }) =>
    own.map((one) => ({ latent: feature.latent, band, ...stretch(one) })),
  );
  return csvOf(exampleTable, rows);
}

function stretch({ tokens, ...rest }: Example) {
  return { ...rest, tokens: tokens.map(({ id }) => id) };
}

async function neuronsCsv(
  report: string,
  layer: number,
  neuron: string | number | undefined,
): Promise<string> {
  const { columns } = await layerOf(report, layer);
  const rows = Array.from(columns.neuron.keys(), (row) => rowAt(sparsityNeuronTable, columns, row));
  return csvOf(sparsityNeuronTable, neuron === undefined ? rows : rows.filter((row) => row.neuron === neuron)); // prettier-ignore
}

async function neuronExamplesCsv(name: string, layer: number, neuron: number): Promise<string> {
  const { examples } = await getNeuron({ name, layer, neuron });
  return csvOf(sparsityExampleTable, examples.map((one) => ({ layer, neuron, ...stretch(one) }))); // prettier-ignore
}

async function layersCsv(
  name: string,
  layer: string | number | undefined,
  part: 'curves' | 'positions',
): Promise<string> {
  const detail = (await answer({ procedure: 'sparsity.get', input: { name } })) as SparsityDetail;
  const wanted = <One extends { layer: number }>(all: readonly One[]) =>
    all.filter((one) => layer === undefined || one.layer === layer);
  return part === 'curves'
    ? csvOf(
        sparsityCurveTable,
        wanted(detail.curves).flatMap(({ layer: of, threshold, cett, activeRatio }) =>
          threshold.map((value, i) => ({
            layer: of,
            threshold: value,
            cett: cett[i],
            activeRatio: activeRatio[i],
          })),
        ),
      )
    : csvOf(
        sparsityPositionTable,
        wanted(detail.positions).flatMap(({ layer: of, position, activationRatio }) =>
          position.map((value, i) => ({ layer: of, position: value, activationRatio: activationRatio[i] })),
        ),
      );
}
