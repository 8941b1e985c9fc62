import * as Plot from '@observablehq/plot';
import { percent } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';

export interface SharedCurvePoint {
  threshold: number;
  /** Share of latents with the same counterpart in both matchings and both cosines above the threshold. */
  shared: number;
  decoder: number;
  encoder: number;
  greedy: number;
  /** What `decoder` would be of two random dictionaries, and its standard deviation; null where that was not measured. */
  chance: number | null;
  chanceDeviation: number | null;
  /** Share of latents whose nearest row in a random dictionary reaches the threshold, which `chance` is at most. */
  nearestChance: number | null;
}

export const sharedCurveMargins = { left: 46, right: 16 } as const;

export const sharedCurveLines = [
  { key: 'shared', name: 'shared (both agree)', colour: 'var(--accent)', width: 2.4, dash: undefined },
  { key: 'decoder', name: 'decoder matching alone', colour: 'var(--ink-2)', width: 1.4, dash: '6 3' },
  { key: 'encoder', name: 'encoder matching alone', colour: 'var(--ink-2)', width: 1.4, dash: '1.5 3' },
  { key: 'greedy', name: 'greedy nearest', colour: 'var(--ink-3)', width: 1.2, dash: '8 3 2 3' },
] as const satisfies readonly {
  key: keyof SharedCurvePoint;
  name: string;
  colour: string;
  width: number;
  dash: string | undefined;
}[];

/** The colour of everything that is there by chance, here and in the histogram below the curve. */
export const chanceColour = 'var(--chart-fill)';

/** Matched decoder rows by chance at a threshold: the matched share, or the nearest's, which is the most it can be; null where neither is known. */
export function chanceAt({ chance, nearestChance }: SharedCurvePoint): number | null {
  return chance ?? nearestChance;
}

/** Shared fraction of latents against the cosine threshold, which the reader can move from its default of 0.7. */
export function sharedCurve(points: readonly SharedCurvePoint[], size: ChartSize): SVGSVGElement {
  return chart(
    size,
    { label: 'Shared fraction of latents against the cosine threshold', description: describe(points) },
    {
      marginLeft: sharedCurveMargins.left,
      marginRight: sharedCurveMargins.right,
      x: { label: 'cosine threshold →', domain: [0, 1], ticks: 5 },
      y: {
        label: '↑ share of latents',
        domain: [0, 1],
        ticks: 5,
        tickFormat: (value: number) => `${Math.round(value * 100)} %`,
        grid: true,
      },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        Plot.areaY(points, {
          x: 'threshold',
          y1: 0,
          y2: 'shared',
          fill: 'var(--accent)',
          fillOpacity: 0.08,
        }),
        ...chanceMarks(points),
        ...sharedCurveLines.toReversed().map((line) =>
          Plot.line(points, {
            x: 'threshold',
            y: line.key,
            stroke: line.colour,
            strokeWidth: line.width,
            ...(line.dash ? { strokeDasharray: line.dash } : {}),
          }),
        ),
      ],
    },
  );
}

/** Everything below two standard deviations above chance is shaded, under a line at chance itself. */
function chanceMarks(points: readonly SharedCurvePoint[]): Plot.Markish[] {
  const known = points.flatMap((point) => {
    const chance = chanceAt(point);
    return chance === null ? [] : [{ threshold: point.threshold, chance, top: bandTop(point, chance) }];
  });
  if (known.length === 0) return [];
  return [
    Plot.areaY(known, { x: 'threshold', y1: 0, y2: 'top', fill: chanceColour, fillOpacity: 0.22 }),
    Plot.line(known, { x: 'threshold', y: 'chance', stroke: chanceColour, strokeWidth: 1.4 }),
  ];
}

function bandTop({ chanceDeviation }: SharedCurvePoint, chance: number): number {
  return Math.min(1, chance + 2 * (chanceDeviation ?? 0));
}

/** The curve's value at a threshold; the table has steps of 0.01. */
export function curveAt(
  points: readonly SharedCurvePoint[],
  threshold: number,
): SharedCurvePoint | undefined {
  let nearest: SharedCurvePoint | undefined;
  for (const point of points)
    if (!nearest || Math.abs(point.threshold - threshold) < Math.abs(nearest.threshold - threshold))
      nearest = point;
  return nearest;
}

function describe(points: readonly SharedCurvePoint[]): string {
  return [0.5, 0.7, 0.9]
    .map((threshold) => {
      const point = curveAt(points, threshold);
      const chance = point && chanceAt(point);
      const decoder =
        chance === undefined || chance === null
          ? ''
          : ` (decoder rows ${percent(point?.decoder)}, ${percent(chance)} by chance)`;
      return `${percent(point?.shared)} shared at ${threshold}${decoder}`;
    })
    .join(', ');
}
