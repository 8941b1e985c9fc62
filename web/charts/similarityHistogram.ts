import * as Plot from '@observablehq/plot';
import { count, percent } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';
import { chanceAt, chanceColour, type SharedCurvePoint } from './sharedCurve.ts';

export interface SimilarityBins {
  /** Counts of latents by cosine for each matching, in equal bins from −1 to 1. */
  decoder: number[];
  encoder: number[];
  nearest: number[];
}

const bins = 80;
/** Lower end of the axis, unless there are matched pairs with smaller cosines, which is rare. */
const usualLow = -0.2;

/** Counts in each bin. NaN, for a latent without a counterpart, is not counted. */
export function similarityBins(cosines: Record<keyof SimilarityBins, Float32Array>): SimilarityBins {
  const binned = (values: Float32Array) => {
    const counts = Array.from({ length: bins }, () => 0);
    for (const value of values)
      if (!Number.isNaN(value))
        counts[Math.max(0, Math.min(bins - 1, Math.floor(((value + 1) / 2) * bins)))]++;
    return counts;
  };
  return {
    decoder: binned(cosines.decoder),
    encoder: binned(cosines.encoder),
    nearest: binned(cosines.nearest),
  };
}

export const similarityLines = [
  { key: 'decoder', name: 'matched decoder rows', colour: 'var(--accent)', dash: undefined },
  { key: 'encoder', name: 'matched encoder rows', colour: 'var(--ink-2)', dash: '6 3' },
  { key: 'nearest', name: 'nearest decoder row', colour: 'var(--ink-3)', dash: '1.5 3' },
] as const satisfies readonly {
  key: keyof SimilarityBins;
  name: string;
  colour: string;
  dash: string | undefined;
}[];

/**
 * Latents in each bin of cosine by chance: how far the curve of chance falls over the bin, times the latents matched. The curve
 * starts at a threshold of 0, below which matched pairs are too rare by chance to be drawn. Empty where chance was not measured.
 */
export function chanceBins(points: readonly SharedCurvePoint[], latents: number): number[] {
  const known = points.flatMap((point) => {
    const share = chanceAt(point);
    return share === null ? [] : [{ threshold: point.threshold, share }];
  });
  if (known.length < 2) return [];
  const reach = (cosine: number) => {
    const next = known.findIndex(({ threshold }) => threshold >= cosine - 1e-9);
    if (next < 0) return 0;
    const [before, after] = [known[Math.max(0, next - 1)], known[next]];
    const span = after.threshold - before.threshold;
    const part = span > 0 ? (cosine - before.threshold) / span : 0;
    return before.share + part * (after.share - before.share);
  };
  return Array.from({ length: bins }, (_, bin) => {
    const [low, high] = [(2 * bin) / bins - 1, (2 * (bin + 1)) / bins - 1];
    return low < -1e-9 ? 0 : latents * Math.max(0, reach(low) - reach(high));
  });
}

/** Histogram of the cosines of latents with their counterparts. It has two modes where some features are shared and others are not. */
export function similarityHistogram(
  data: SimilarityBins,
  options: ChartSize & { threshold: number; chance?: readonly number[] },
): SVGSVGElement {
  const { chance = [] } = options;
  const edge = (bin: number) => (2 * bin) / bins - 1;
  const first = Math.min(
    ...similarityLines
      .map(({ key }) => data[key].findIndex((latents) => latents > 0))
      .filter((at) => at >= 0),
    Math.floor(((usualLow + 1) / 2) * bins),
  );
  const corners = (counts: readonly number[]) =>
    counts
      .flatMap((latents, bin) => [
        { cosine: edge(bin), latents },
        { cosine: edge(bin + 1), latents },
      ])
      .slice(2 * first);
  const byChance = chance.reduce(
    (sum, latents, bin) => sum + (edge(bin) >= options.threshold - 1e-9 ? latents : 0),
    0,
  );
  const reaches = (bin: number) => edge(bin) >= options.threshold - 1e-9;
  const shaded = data.decoder.flatMap((latents, bin) =>
    reaches(bin)
      ? [
          { cosine: edge(bin), latents },
          { cosine: edge(bin + 1), latents },
        ]
      : [],
  );
  const above = data.decoder.reduce((sum, latents, bin) => sum + (reaches(bin) ? latents : 0), 0);
  const total = data.decoder.reduce((sum, latents) => sum + latents, 0);
  return chart(
    options,
    {
      label: 'Latents by the cosine with their counterparts',
      description: `${percent(above / Math.max(1, total))} of ${count(total)} matched decoder rows reach ${options.threshold.toFixed(2)}${chance.length > 0 ? `, ${percent(byChance / Math.max(1, total))} by chance` : ''}.`,
    },
    {
      x: { label: 'cosine →', domain: [edge(first), 1], ticks: 6 },
      y: { label: '↑ latents', grid: true, ticks: 4, nice: true },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        ...(chance.length > 0
          ? [
              Plot.areaY(corners(chance), {
                x: 'cosine',
                y1: 0,
                y2: 'latents',
                fill: chanceColour,
                fillOpacity: 0.22,
              }),
              Plot.line(corners(chance), {
                x: 'cosine',
                y: 'latents',
                stroke: chanceColour,
                strokeWidth: 1.2,
              }),
            ]
          : []),
        // With `y` alone Plot would stack the two points that an outline has at each edge; y1 and y2 are drawn as they are.
        Plot.areaY(shaded, { x: 'cosine', y1: 0, y2: 'latents', fill: 'var(--accent)', fillOpacity: 0.12 }),
        ...similarityLines.toReversed().map(({ key, colour, dash }) =>
          Plot.line(corners(data[key]), {
            x: 'cosine',
            y: 'latents',
            stroke: colour,
            strokeWidth: key === 'decoder' ? 1.8 : 1.3,
            ...(dash ? { strokeDasharray: dash } : {}),
          }),
        ),
        Plot.ruleX([options.threshold], { stroke: 'var(--ink)', strokeWidth: 1.5 }),
      ],
    },
  );
}
