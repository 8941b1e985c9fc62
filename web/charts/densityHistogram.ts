import * as Plot from '@observablehq/plot';
import { seedColour, seedDash } from './architectureStyle.ts';
import { count } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';

export interface DensitySeries {
  seed: number;
  /** Bin edges in log10(density), one more than counts. */
  edges: readonly number[];
  /** Number of latents in each bin. */
  counts: readonly number[];
}

interface Bin {
  seed: number;
  x1: number;
  x2: number;
  latents: number;
}

/** Histogram of latents by log10(density), with an outline for each seed. A healthy dictionary has a single mode away from both ends. */
export function densityHistogram(
  series: readonly DensitySeries[],
  options: ChartSize & { architecture: string },
): SVGSVGElement {
  const everyBin = series.map(({ seed, edges, counts }) =>
    counts.map((latents, bin): Bin => ({ seed, x1: edges[bin] ?? 0, x2: edges[bin + 1] ?? 0, latents })),
  );
  const low = Math.floor(
    Math.min(-4, ...everyBin.flatMap((bins) => bins.filter((bin) => bin.latents > 0).map((bin) => bin.x1))),
  );
  // The bins start at 10⁻⁷, but an axis that did would be mostly empty.
  const bins = everyBin.map((own) => own.filter((bin) => bin.x1 >= low));
  const filled = bins.flat().filter((bin) => bin.latents > 0);
  return chart(
    options,
    { label: 'Latents by firing density, an outline a seed', description: describe(series, bins) },
    {
      x: {
        label: 'density (share of tokens on which a latent fires, log) →',
        domain: [low, 0],
        ticks: range(low, 0),
        tickFormat: densityTick,
      },
      y: { label: '↑ latents', grid: true, ticks: 4, nice: true },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        ...(bins.length === 1
          ? [
              Plot.rectY(bins[0] ?? [], {
                x1: 'x1',
                x2: 'x2',
                y: 'latents',
                fill: seedColour(options.architecture, 0),
                fillOpacity: 0.25,
                inset: 0,
              }),
            ]
          : []),
        ...bins.map((own, index) =>
          Plot.line(outline(own), {
            x: 'x',
            y: 'latents',
            stroke: seedColour(options.architecture, index),
            strokeWidth: 1.6,
            ...(seedDash(index) ? { strokeDasharray: seedDash(index) } : {}),
          }),
        ),
        Plot.tip(
          filled,
          Plot.pointerX({
            x: (bin: Bin) => (bin.x1 + bin.x2) / 2,
            y: 'latents',
            title: (bin: Bin) =>
              `seed ${bin.seed}\n${count(bin.latents)} latents fire on\n${densityTick(bin.x1)} to ${densityTick(bin.x2)} of tokens`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

/** The corners of a histogram's outline: a step line that starts and ends on the axis. */
function outline(bins: readonly Bin[]): { x: number; latents: number }[] {
  const corners = bins.flatMap(({ x1, x2, latents }) => [
    { x: x1, latents },
    { x: x2, latents },
  ]);
  const [first, last] = [corners[0], corners.at(-1)];
  return first && last ? [{ x: first.x, latents: 0 }, ...corners, { x: last.x, latents: 0 }] : [];
}

/** `1 %`, `0.01 %`: a power of ten as a share. */
export function densityTick(log10: number): string {
  const share = 10 ** log10 * 100;
  return share >= 1e-3 ? `${Number(share.toPrecision(2))} %` : `10${superscript(Math.round(log10))}`;
}

function superscript(power: number): string {
  return String(power).replace(/[-\d]/g, (digit) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(digit)] ?? digit);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function describe(series: readonly DensitySeries[], bins: readonly Bin[][]): string {
  return series
    .map(({ seed }, index) => {
      const own = bins[index] ?? [];
      const peak = own.reduce(
        (best, bin) => (bin.latents > best.latents ? bin : best),
        own[0] ?? { latents: 0, x1: 0, x2: 0, seed },
      );
      return `seed ${seed}: most latents (${count(peak.latents)}) fire on ${densityTick(peak.x1)} to ${densityTick(peak.x2)} of tokens`;
    })
    .join('; ');
}
