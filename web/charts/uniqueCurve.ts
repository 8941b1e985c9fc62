import * as Plot from '@observablehq/plot';
import { compact, count, percent } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';

export interface UniquePoint {
  seeds: number;
  /** Distinct latents: those shared between seeds counted once. */
  unique: number;
  /** Total number of live latents of these seeds. */
  total: number;
}

/** Distinct latents against the number of seeds trained. The curve would flatten if all seeds found the same features. */
export function uniqueCurve(
  points: readonly UniquePoint[],
  options: ChartSize & { colour: string },
): SVGSVGElement {
  return chart(
    options,
    {
      label: 'Distinct latents against the number of seeds',
      description: points
        .map((point) => `${point.seeds} seeds: ${count(point.unique)} distinct of ${count(point.total)}`)
        .join('; '),
    },
    {
      x: { type: 'point', label: 'seeds →', domain: points.map((point) => point.seeds), padding: 0.35 },
      y: { label: '↑ distinct latents', zero: true, nice: true, grid: true, ticks: 4, tickFormat: compact },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        Plot.line(points, { x: 'seeds', y: 'total', stroke: 'var(--ink-3)', strokeDasharray: '3 3' }),
        Plot.line(points, { x: 'seeds', y: 'unique', stroke: options.colour, strokeWidth: 1.8 }),
        Plot.dot(points, { x: 'seeds', y: 'unique', fill: options.colour, r: 3.5 }),
        Plot.text(points, {
          x: 'seeds',
          y: 'unique',
          text: (point: UniquePoint) => `${count(point.unique)}\n${percent(point.unique / point.total, 0)}`,
          dy: 10,
          lineAnchor: 'top',
          fill: 'var(--ink)',
          fontVariant: 'tabular-nums',
        }),
      ],
    },
  );
}
