import * as Plot from '@observablehq/plot';
import { count, percent } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';

export interface FrequencySeries {
  name: string;
  colour: string;
  /** Neurons by firing frequency, equal bins on [0, 1]. */
  counts: readonly number[];
}

interface Bin {
  name: string;
  x1: number;
  x2: number;
  share: number;
  neurons: number;
}

/**
 * Histogram of the share of tokens on which each neuron fires. Models differ in size, so the height is a share of neurons, on a
 * square-root scale: GELU puts nearly all of them in one bin at 100 %, and the rest must stay visible.
 */
export function frequencyHistogram(series: readonly FrequencySeries[], size: ChartSize): SVGSVGElement {
  const bins = series.map(({ name, counts }) => {
    const total = counts.reduce((sum, neurons) => sum + neurons, 0) || 1;
    return counts.map((neurons, bin): Bin => ({
      name,
      x1: bin / counts.length,
      x2: (bin + 1) / counts.length,
      share: neurons / total,
      neurons,
    }));
  });
  return chart(
    size,
    { label: 'Neurons by the share of tokens on which they fire', description: describe(series, bins) },
    {
      x: {
        label: 'firing frequency (share of tokens) →',
        domain: [0, 1],
        ticks: 5,
        tickFormat: (value: number) => `${Math.round(value * 100)} %`,
      },
      y: {
        type: 'sqrt',
        label: '↑ share of neurons (square root)',
        grid: true,
        ticks: 4,
        nice: true,
        domain: [0, Math.max(0.01, ...bins.flat().map((bin) => bin.share))],
        tickFormat: (value: number) => percent(value, 0),
      },
      marks: [
        ...bins.map((own, index) =>
          Plot.rectY(own, {
            x1: 'x1',
            x2: 'x2',
            y: 'share',
            fill: series[index]?.colour ?? 'var(--other)',
            fillOpacity: 0.32,
            insetLeft: 0.5,
            insetRight: 0.5,
          }),
        ),
        ...bins.map((own, index) =>
          Plot.ruleY(
            own.filter((bin) => bin.share > 0),
            {
              x1: 'x1',
              x2: 'x2',
              y: 'share',
              stroke: series[index]?.colour ?? 'var(--other)',
              strokeWidth: 2,
            },
          ),
        ),
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        Plot.tip(
          bins.flat().filter((bin) => bin.share > 0),
          Plot.pointer({
            x: (bin: Bin) => (bin.x1 + bin.x2) / 2,
            y: 'share',
            title: (bin: Bin) =>
              `${bin.name}\n${count(bin.neurons)} neurons (${percent(bin.share)})\nfire on ${percent(bin.x1, 0)} to ${percent(bin.x2, 0)} of tokens`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

function describe(series: readonly FrequencySeries[], bins: readonly Bin[][]): string {
  return series
    .map(({ name }, index) => {
      const rare = (bins[index] ?? [])
        .filter((bin) => bin.x2 <= 0.1 + 1e-9)
        .reduce((sum, bin) => sum + bin.share, 0);
      return `${name}: ${percent(rare)} of neurons fire on at most a tenth of the tokens`;
    })
    .join('; ');
}
