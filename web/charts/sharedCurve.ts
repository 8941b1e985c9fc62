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
        Plot.areaY(points, { x: 'threshold', y: 'shared', fill: 'var(--accent)', fillOpacity: 0.08 }),
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
    .map((threshold) => `${percent(curveAt(points, threshold)?.shared)} shared at ${threshold}`)
    .join(', ');
}
