import * as Plot from '@observablehq/plot';
import { count, percent, significant } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';
import { densityTick } from './densityHistogram.ts';
import { logTicks } from './logTicks.ts';

export interface StabilityPoint {
  seed: number;
  latent: number;
  density: number;
  stability: number;
  maxActivation: number;
}

/**
 * Where orphans live: every latent by how often and how strongly it fires, orphans in the warning hue, shared ones
 * in the architecture's own, denser where more seeds share them.
 */
export function stabilityScatter(
  points: readonly StabilityPoint[],
  options: ChartSize & { colour: string; href: (point: StabilityPoint) => string },
): SVGSVGElement {
  const drawn = points
    .filter((point) => point.density > 0 && point.maxActivation > 0)
    .map((point) => ({ ...point, x: Math.log10(point.density) }));
  const low = Math.floor(Math.min(-3, ...drawn.map((point) => point.x)));
  const strengths = drawn.map((point) => point.maxActivation);
  const orphans = drawn.filter((point) => point.stability === 0);
  const common = { x: 'x', y: 'maxActivation', href: options.href } as const;
  return chart(
    options,
    {
      label: 'Latents by density and strongest activation, orphans apart from shared ones',
      description: `${count(orphans.length)} of ${count(drawn.length)} latents are shared with no other seed; median density ${percent(median(orphans.map((point) => point.density)))} against ${percent(median(drawn.filter((point) => point.stability > 0).map((point) => point.density)))} of the shared ones.`,
    },
    {
      x: {
        label: 'density (log) →',
        domain: [low, 0],
        ticks: Array.from({ length: 1 - low }, (_, index) => low + index),
        tickFormat: densityTick,
      },
      y: {
        type: 'log',
        label: '↑ strongest activation (log)',
        grid: true,
        ticks: logTicks(Math.min(...strengths), Math.max(...strengths)),
        tickFormat: (value: number) => significant(value, 2),
      },
      marks: [
        Plot.dot(
          drawn.filter((point) => point.stability > 0),
          {
            ...common,
            r: 2,
            symbol: 'circle',
            fill: options.colour,
            fillOpacity: (point: StabilityPoint) => 0.15 + 0.45 * point.stability,
          },
        ),
        Plot.dot(orphans, {
          ...common,
          r: 2.6,
          symbol: 'times',
          stroke: 'var(--bad)',
          strokeOpacity: orphans.length > 600 ? 0.35 : 0.75,
          strokeWidth: 1.2,
        }),
        Plot.tip(
          drawn,
          Plot.pointer({
            x: 'x',
            y: 'maxActivation',
            maxRadius: 16,
            title: (point: StabilityPoint) =>
              `latent ${point.latent} · seed ${point.seed}\nfires on ${percent(point.density)} of tokens, up to ${significant(point.maxActivation)}\n${point.stability === 0 ? 'shared with no other seed' : `shared in ${percent(point.stability, 0)} of the other seeds`}`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
