import * as Plot from '@observablehq/plot';
import { count, significant } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';

interface Bin {
  x1: number;
  x2: number;
  tokens: number;
}

/**
 * Histogram of a latent's activations where it fires, in equal bins on (0, max]. The height is on
 * a square-root scale, because the few strong activations, which tell most about a latent, would be invisible on a linear one.
 */
export function activationHistogram(
  counts: readonly number[],
  options: ChartSize & { max: number },
): SVGSVGElement {
  const step = options.max / Math.max(1, counts.length);
  const bins = counts.map((tokens, bin): Bin => ({ x1: bin * step, x2: (bin + 1) * step, tokens }));
  const total = counts.reduce((sum, tokens) => sum + tokens, 0);
  return chart(
    options,
    {
      label: 'Tokens by activation',
      description: `${count(total)} tokens activate it, up to ${significant(options.max)}; half of them below ${significant(median(bins, total))}.`,
    },
    {
      x: {
        label: 'activation →',
        domain: [0, options.max || 1],
        ticks: 5,
        tickFormat: (value: number) => significant(value, 3),
      },
      y: {
        type: 'sqrt',
        label: '↑ tokens (square-root scale)',
        grid: true,
        ticks: 4,
        nice: true,
        tickFormat: (value: number) => significant(value, 3),
      },
      marks: [
        Plot.rectY(bins, {
          x1: 'x1',
          x2: 'x2',
          y: 'tokens',
          insetLeft: 0.5,
          insetRight: 0.5,
          // Bars are shaded like the tokens of the examples, so that the same shade means the same activation in both.
          fill: (bin: Bin) =>
            `color-mix(in oklab, var(--heat) ${Math.round(25 + (75 * bin.x2) / (options.max || 1))}%, var(--surface))`,
        }),
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        Plot.tip(
          bins,
          Plot.pointerX({
            x: (bin: Bin) => (bin.x1 + bin.x2) / 2,
            y: 'tokens',
            title: (bin: Bin) =>
              `${count(bin.tokens)} tokens\nat ${significant(bin.x1)} to ${significant(bin.x2)}`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

function median(bins: readonly Bin[], total: number): number {
  let seen = 0;
  for (const bin of bins) {
    seen += bin.tokens;
    if (seen * 2 >= total) return bin.x2;
  }
  return 0;
}
