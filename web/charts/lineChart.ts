import * as Plot from '@observablehq/plot';
import { significant } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';

export interface LineSeries {
  name: string;
  colour: string;
  dash?: string | undefined;
  x: readonly number[];
  y: readonly number[];
  /** What a point's tooltip says besides its values. */
  notes?: readonly string[];
}

export interface LineChartOptions extends ChartSize {
  label: string;
  x: { label: string; log?: boolean; format: (value: number) => string; domain?: [number, number] };
  y: { label: string; format: (value: number) => string; domain?: [number, number] };
  /** A horizontal reference line with a caption. */
  level?: { y: number; caption: string };
  /** Whether to draw a dot at each point, for series with few points. */
  dots?: boolean;
  /** Whether each line has its name at its end; names that would overlap are moved apart. */
  names?: boolean;
  /** Whether to draw the diagonal y = x. */
  diagonal?: boolean;
}

interface Point {
  name: string;
  x: number;
  y: number;
  note: string | undefined;
}

/** Several named lines over one axis: activation ratio by position, CETT by threshold. */
export function lineChart(series: readonly LineSeries[], options: LineChartOptions): SVGSVGElement {
  const log = options.x.log ?? false;
  const lines = series.map((line) => ({
    ...line,
    points: line.x
      .map((x, index): Point => ({
        name: line.name,
        x,
        y: line.y[index] ?? Number.NaN,
        note: line.notes?.[index],
      }))
      .filter((point) => Number.isFinite(point.y) && (!log || point.x > 0)),
  }));
  const all = lines.flatMap((line) => line.points);
  // On a narrow chart the legend says it, and the lines need the room.
  const named = (options.names ?? false) && options.width >= 520 && options.y.domain !== undefined;
  return chart(
    options,
    {
      label: options.label,
      description: lines.map(({ name, points }) => describe(name, points, options)).join('; '),
    },
    {
      marginLeft: 52,
      ...(named ? { marginRight: Math.min(150, options.width * 0.28) } : {}),
      x: {
        label: `${options.x.label} →`,
        type: log ? 'log' : 'linear',
        ...(options.x.domain ? { domain: options.x.domain } : {}),
        ...(log
          ? { ticks: decades(all.map((point) => point.x)) }
          : { ticks: Math.max(3, Math.floor(options.width / 90)) }),
        tickFormat: options.x.format,
      },
      y: {
        label: `↑ ${options.y.label}`,
        grid: true,
        ticks: 5,
        tickFormat: options.y.format,
        ...(options.y.domain ? { domain: options.y.domain } : { zero: true, nice: true }),
      },
      marks: [
        Plot.ruleY([options.y.domain?.[0] ?? 0], { stroke: 'var(--line-strong)' }),
        ...(options.level
          ? [
              Plot.ruleY([options.level.y], { stroke: 'var(--ink-3)', strokeDasharray: '3 3' }),
              Plot.text([options.level.caption], {
                frameAnchor: 'left',
                y: options.level.y,
                dx: 6,
                dy: -7,
                fill: 'var(--ink-2)',
              }),
            ]
          : []),
        ...(options.diagonal
          ? [
              Plot.link([0], {
                x1: 0,
                y1: 0,
                x2: 1,
                y2: 1,
                stroke: 'var(--ink-3)',
                strokeDasharray: '3 3',
              }),
            ]
          : []),
        ...(options.dots
          ? lines.map((line) => Plot.dot(line.points, { x: 'x', y: 'y', r: 2.4, fill: line.colour }))
          : []),
        ...lines.map((line) =>
          Plot.line(line.points, {
            x: 'x',
            y: 'y',
            stroke: line.colour,
            strokeWidth: 1.7,
            ...(line.dash ? { strokeDasharray: line.dash } : {}),
          }),
        ),
        ...(named
          ? endNames(lines, options).map(({ name, colour, x, y, shift }) =>
              Plot.text([name], { x, y, dx: 7, dy: shift, textAnchor: 'start', fill: colour, fontSize: 11 }),
            )
          : []),
        Plot.tip(
          all,
          Plot.pointer({
            x: 'x',
            y: 'y',
            title: (point: Point) =>
              `${point.name}\n${options.x.label}: ${significant(point.x)}\n${options.y.label}: ${options.y.format(point.y)}${point.note === undefined ? '' : `\n${point.note}`}`,
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

function decades(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0);
  if (!positive.length) return [];
  const low = Math.ceil(Math.log10(Math.min(...positive)) - 1e-9);
  const high = Math.floor(Math.log10(Math.max(...positive)) + 1e-9);
  return Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => 10 ** (low + index));
}

function describe(name: string, points: readonly Point[], options: LineChartOptions): string {
  const [first, last] = [points[0], points.at(-1)];
  return first && last
    ? `${name}: ${options.y.format(first.y)} at ${significant(first.x)}, ${options.y.format(last.y)} at ${significant(last.x)}`
    : `${name}: nothing`;
}

/** Pixels between the middles of two names. */
const lineHeight = 13;

/** Where each line's name goes: at its last point, moved up or down by `shift` pixels where names would overlap. */
function endNames(
  lines: readonly { name: string; colour: string; points: readonly Point[] }[],
  { height, y }: LineChartOptions,
): { name: string; colour: string; x: number; y: number; shift: number }[] {
  const [low, high] = y.domain ?? [0, 1];
  const [top, bottom] = [26, height - 38];
  const placed = lines
    .flatMap(({ name, colour, points }) => {
      const last = points.at(-1);
      if (!last) return [];
      const pixel = bottom - ((last.y - low) / (high - low)) * (bottom - top);
      return [{ name, colour, x: last.x, y: last.y, pixel, at: pixel }];
    })
    .sort((a, b) => a.pixel - b.pixel);
  for (let i = 1; i < placed.length; i++)
    placed[i].at = Math.max(placed[i].at, placed[i - 1].at + lineHeight);
  // What was pushed below the frame comes back up, and pushes those above it.
  for (let i = placed.length - 1, floor = bottom; i >= 0; i--, floor -= lineHeight)
    placed[i].at = Math.min(placed[i].at, floor);
  return placed.map(({ pixel, at, ...name }) => ({ ...name, shift: at - pixel }));
}
