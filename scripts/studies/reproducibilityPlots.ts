/** Plots of the reproducibility study. */
import type { Worth } from '../../sae/spec/reproducibility/worth.ts';
import { blockOf, isMeasured, type ReproducibilityRow } from './reproducibilityRow.ts';
import { architectures, studyPlot, type PlotLine } from './studyPlot.ts';

const count = (value: number) => value.toLocaleString('en-US');

/** What the runs have in common that the others are compared with: those of the run with the most seeds. */
interface Middle {
  text: string;
  block: number;
  width: number;
  tokens: number;
  sparsity: number;
}

/** A line an architecture that has at least two points. */
function linesOf(pointsOf: (architecture: string) => PlotLine['points']): PlotLine[] {
  return architectures
    .map(({ key, name, colour }) => ({ name, colour, points: pointsOf(key) }))
    .filter(({ points }) => points.length > 1);
}

/** The name and the SVG of each plot that has something to show. */
export function reproducibilityPlots(rows: readonly ReproducibilityRow[]): [string, string][] {
  if (rows.length === 0) return [];
  const [first] = [...rows].sort((a, b) => b.seeds - a.seeds);
  const middle: Middle = {
    text: first.text,
    block: blockOf(first),
    width: first.width,
    tokens: first.tokens,
    sparsity: first.sparsity,
  };
  const isMiddle = (row: ReproducibilityRow, but: keyof Middle | null) =>
    (but === 'text' || row.text === middle.text) &&
    (but === 'block' || blockOf(row) === middle.block) &&
    (but === 'width' || row.width === middle.width) &&
    (but === 'tokens' || row.tokens === middle.tokens) &&
    (but === 'sparsity' || row.sparsity === middle.sparsity);
  const across = (but: keyof Middle, x: (row: ReproducibilityRow) => number) =>
    linesOf((architecture) =>
      rows
        .filter((row) => row.architecture === architecture && isMiddle(row, but))
        .map((row) => ({ x: x(row), y: row.shared.mean, low: row.shared.low, high: row.shared.high }))
        .sort((a, b) => a.x - b.x),
    );
  const measured = rows.filter(isMeasured);
  const worths = measured.flatMap((row) =>
    row.reproducibility.worth ? [{ row, worth: row.reproducibility.worth }] : [],
  );
  const compared = fullestPlace(rows);
  const plots: [string, PlotLine[], Parameters<typeof studyPlot>[1]][] = [
    [
      'thresholds',
      linesOf((architecture) =>
        compared
          .filter((row) => row.architecture === architecture)
          .flatMap(({ curve }) =>
            curve.map(({ threshold, shared }) => ({ x: threshold, y: shared, low: shared, high: shared })),
          ),
      ),
      {
        title: 'Shared between two seeds, by the least of both cosines',
        x: { label: 'cosine', format: (value) => value.toFixed(1), scale: 'linear' },
      },
    ],
    [
      'depth',
      across('block', blockOf),
      {
        title: 'Shared between two seeds, by depth',
        x: { label: 'after block', format: String, scale: 'linear' },
      },
    ],
    [
      'width',
      across('width', ({ width }) => width),
      { title: 'Shared between two seeds, by width', x: { label: 'latents', format: count } },
    ],
    [
      'length',
      across('tokens', ({ tokens }) => tokens),
      {
        title: 'Shared between two seeds, by length of training',
        x: { label: 'training tokens', format: (value) => `${value / 1e6} M` },
      },
    ],
    [
      'seeds',
      linesOf((architecture) =>
        measured
          .filter((row) => row.architecture === architecture && isMiddle(row, null))
          .flatMap((row) =>
            row.reproducibility.learning.points.flatMap(({ seeds, observed }) =>
              observed === null ? [] : [{ x: seeds, y: observed, low: observed, high: observed }],
            ),
          ),
      ),
      { title: 'Latents found in all of n seeds', x: { label: 'seeds', format: String, scale: 'linear' } },
    ],
    [
      'worth',
      linesOf((architecture) =>
        worths
          .filter(({ row }) => row.architecture === architecture && placeOf(row) === placeOf(worths[0].row))
          .flatMap(({ worth }) => worthPoints(worth)),
      ),
      {
        title: 'Share of the explained variance lost with each tenth of the latents',
        x: { label: 'tenth of the latents by stability', format: String, scale: 'linear' },
      },
    ],
  ];
  return plots.flatMap(([name, lines, axes]): [string, string][] =>
    lines.length > 0 ? [[name, studyPlot(lines, axes)]] : [],
  );
}

/** What runs must have in common for their architectures to be compared. */
const placeOf = (row: ReproducibilityRow) =>
  [row.text, row.hook, row.width, row.tokens, row.sparsity].join(' ');

/** The runs of the place where the most architectures are. */
function fullestPlace(rows: readonly ReproducibilityRow[]): readonly ReproducibilityRow[] {
  const places = rows.map((row) => rows.filter((other) => placeOf(other) === placeOf(row)));
  return places.reduce((most, place) => (place.length > most.length ? place : most));
}

/** Of FVU without any latent less FVU of the whole; bars are the ranges of random groups. */
function worthPoints({ groups, whole }: Worth): PlotLine['points'] {
  const explained = whole.fvuWithout - whole.fvu;
  return groups.map(({ ablated: { fvu } }, at) => ({
    x: at + 1,
    y: fvu.change / explained,
    low: fvu.least / explained,
    high: fvu.most / explained,
  }));
}
