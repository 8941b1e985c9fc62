import * as Plot from '@observablehq/plot';
import { architectureColour } from './architectureStyle.ts';
import { compact, percent, significant } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';
import { logTicks } from './logTicks.ts';

export interface TrainingPoint {
  seed: number;
  /** Tokens seen so far. */
  tokens: number;
  value: number;
}

export interface TrainingCurveOptions extends ChartSize {
  architecture: string;
  /** Name of the measure, for example `Loss` or `FVU`. */
  label: string;
  /** Whether y is logarithmic; points at or below zero are then left out. */
  log?: boolean;
  /** Whether y is a share between 0 and 1, written in percent. */
  share?: boolean;
  /** The axis reaches at least up to this value, for fractions that are usually small. */
  top?: number;
}

/** One measure of training against the tokens seen: the line of one seed, or the mean of several over a band from the smallest to the largest. */
export function trainingCurve(
  points: readonly TrainingPoint[],
  options: TrainingCurveOptions,
): SVGSVGElement {
  const { architecture, label, log = false } = options;
  const seeds = [...new Set(points.map((point) => point.seed))].sort((a, b) => a - b);
  const drawn = points.filter((point) => Number.isFinite(point.value) && (!log || point.value > 0));
  const several = seeds.length > 1;
  const spread = several ? spreadOf(drawn) : [];
  const values = drawn.map((point) => point.value);
  const span = logDomain(values);
  return chart(
    options,
    {
      label: several
        ? `${label} against tokens, mean and range of ${seeds.length} seeds`
        : `${label} against tokens`,
      description: describe(drawn, seeds),
    },
    {
      x: {
        label: 'tokens →',
        tickFormat: compact,
        ticks: Math.max(3, Math.floor(options.width / 90)),
        nice: false,
      },
      y: {
        label: `↑ ${label}${log ? ' (log)' : ''}`,
        grid: true,
        ticks: 5,
        tickFormat: (value: number) => (options.share ? percent(value, 0) : significant(value, 2)),
        ...(log
          ? { type: 'log', domain: span, ticks: logTicks(...span) }
          : { zero: true, nice: true, domain: [0, Math.max(options.top ?? 0, ...values, 1e-9)] }),
      },
      marks: [
        ...(log ? [] : [Plot.ruleY([0], { stroke: 'var(--line-strong)' })]),
        ...(several
          ? [
              // Both edges are given, because Plot stacks an area that has one.
              Plot.areaY(spread, {
                x: 'tokens',
                y1: 'low',
                y2: 'high',
                fill: architectureColour(architecture),
                fillOpacity: 0.25,
              }),
              Plot.line(spread, {
                x: 'tokens',
                y: 'mean',
                stroke: architectureColour(architecture),
                strokeWidth: 1.8,
              }),
            ]
          : [
              Plot.line(drawn, {
                x: 'tokens',
                y: 'value',
                stroke: architectureColour(architecture),
                strokeWidth: 1.6,
              }),
            ]),
        // Plot draws it anew under the pointer, with a name but without a role, which it only may have when hidden.
        Plot.ruleX(drawn, Plot.pointerX({ x: 'tokens', stroke: 'var(--line-strong)', ariaHidden: 'true' })),
        Plot.tip(
          drawn,
          Plot.pointer({
            x: 'tokens',
            y: 'value',
            title: (point: TrainingPoint) =>
              `seed ${point.seed}\n${compact(point.tokens)} tokens\n${label} ${options.share ? percent(point.value, 2) : significant(point.value, 4)}`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

interface Spread {
  tokens: number;
  low: number;
  mean: number;
  high: number;
}

/** Over the seeds that have a value there, for each number of tokens at which any has one. */
function spreadOf(points: readonly TrainingPoint[]): Spread[] {
  const byTokens = new Map<number, number[]>();
  for (const { tokens, value } of points) {
    const those = byTokens.get(tokens);
    if (those) those.push(value);
    else byTokens.set(tokens, [value]);
  }
  return [...byTokens]
    .sort(([a], [b]) => a - b)
    .map(([tokens, values]) => ({
      tokens,
      low: Math.min(...values),
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      high: Math.max(...values),
    }));
}

/** The domain of y. For a measure that hardly varies (L0 of TopK) it is widened, so that the line is not magnified noise. */
function logDomain(values: readonly number[]): [number, number] {
  if (values.length === 0) return [1, 10];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high / low < 1.2 ? [low / 2, high * 2] : [low, high];
}

function describe(points: readonly TrainingPoint[], seeds: readonly number[]): string {
  return seeds
    .map((seed) => {
      const own = points.filter((point) => point.seed === seed);
      const [first, last] = [own[0], own.at(-1)];
      return first && last
        ? `seed ${seed}: from ${significant(first.value)} to ${significant(last.value)} after ${compact(last.tokens)} tokens`
        : `seed ${seed}: nothing yet`;
    })
    .join('; ');
}
