import * as Plot from '@observablehq/plot';
import { seedColour, seedDash } from './architectureStyle.ts';
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

/** One measure of training against the tokens seen, with a line for each seed. */
export function trainingCurve(
  points: readonly TrainingPoint[],
  options: TrainingCurveOptions,
): SVGSVGElement {
  const { architecture, label, log = false } = options;
  const seeds = [...new Set(points.map((point) => point.seed))].sort((a, b) => a - b);
  const drawn = points.filter((point) => Number.isFinite(point.value) && (!log || point.value > 0));
  const values = drawn.map((point) => point.value);
  const span = logDomain(values);
  return chart(
    options,
    { label: `${label} against tokens, a line a seed`, description: describe(drawn, seeds) },
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
        ...seeds.map((seed, index) =>
          Plot.line(
            drawn.filter((point) => point.seed === seed),
            {
              x: 'tokens',
              y: 'value',
              stroke: seedColour(architecture, index),
              strokeWidth: 1.6,
              ...(seedDash(index) ? { strokeDasharray: seedDash(index) } : {}),
            },
          ),
        ),
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
