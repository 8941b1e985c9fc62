import * as Plot from '@observablehq/plot';
import { compact, count } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';

export interface UniquePoint {
  seeds: number;
  mean: number;
  min: number;
  max: number;
}

/** Distinct latents against the number of seeds trained: it would flatten if the dictionary were the model's own. */
export function uniqueCurve(points: readonly UniquePoint[], options: ChartSize & { colour: string }): SVGSVGElement {
  return chart(
    options,
    {
      label: 'Distinct latents against the number of seeds',
      description: points.map((point) => `${point.seeds} seeds: ${count(point.mean)}`).join('; '),
    },
    {
      x: { type: 'point', label: 'seeds →', domain: points.map((point) => point.seeds), padding: 0.3 },
      y: { label: '↑ distinct latents', zero: true, nice: true, grid: true, ticks: 4, tickFormat: compact },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        // What it would be if no seed shared anything with another.
        Plot.line(points, { x: 'seeds', y: (point: UniquePoint) => point.seeds * (points[0]?.mean ?? 0), stroke: 'var(--ink-3)', strokeDasharray: '3 3' }),
        Plot.ruleX(points, { x: 'seeds', y1: 'min', y2: 'max', stroke: options.colour, strokeWidth: 2, strokeOpacity: 0.4 }),
        Plot.line(points, { x: 'seeds', y: 'mean', stroke: options.colour, strokeWidth: 1.8 }),
        Plot.dot(points, { x: 'seeds', y: 'mean', fill: options.colour, r: 3.5 }),
        Plot.text(points, { x: 'seeds', y: 'mean', text: (point: UniquePoint) => count(Math.round(point.mean)), dy: 14, fill: 'var(--ink)', fontVariant: 'tabular-nums', lineAnchor: 'top' }),
      ],
    },
  );
}
