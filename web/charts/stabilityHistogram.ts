import * as Plot from '@observablehq/plot';
import { compact, count, percent } from '../format/number.ts';
import { chart, type ChartSize } from './chartFrame.ts';

export interface StabilityBar {
  /** Share of the other seeds in which a latent is shared. */
  stability: number;
  latents: number;
}

/** Histogram of stability, from orphans at the left to latents that are shared with every other seed at the right. */
export function stabilityHistogram(
  bars: readonly StabilityBar[],
  options: ChartSize & { otherSeeds: number; colour: string },
): SVGSVGElement {
  const total = bars.reduce((sum, bar) => sum + bar.latents, 0);
  // Every possible number of seeds has a bar, even if it is empty.
  const named = Array.from({ length: options.otherSeeds + 1 }, (_, seeds) => ({
    seeds: String(seeds),
    stability: seeds / options.otherSeeds,
    latents: bars
      .filter((bar) => Math.round(bar.stability * options.otherSeeds) === seeds)
      .reduce((sum, bar) => sum + bar.latents, 0),
  }));
  return chart(
    options,
    {
      label: 'Latents by the number of other seeds in which they are shared',
      description: bars
        .map((bar) => `in ${percent(bar.stability, 0)} of the other seeds: ${count(bar.latents)} latents`)
        .join('; '),
    },
    {
      x: {
        type: 'band',
        label: `other seeds that share it (of ${options.otherSeeds}) →`,
        padding: 0.18,
        domain: named.map((bar) => bar.seeds),
      },
      y: { label: '↑ latents', grid: true, ticks: 4, nice: true, tickFormat: compact },
      marks: [
        Plot.barY(named, {
          x: 'seeds',
          y: 'latents',
          fill: options.colour,
          fillOpacity: (bar: StabilityBar) => 0.3 + 0.65 * bar.stability,
        }),
        Plot.text(named, {
          x: 'seeds',
          y: 'latents',
          text: (bar: StabilityBar) => percent(bar.latents / Math.max(1, total), 0),
          dy: -8,
          fill: 'var(--ink)',
          fontVariant: 'tabular-nums',
        }),
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
      ],
    },
  );
}
