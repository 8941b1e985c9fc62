import * as Plot from '@observablehq/plot';
import { architectureColour, architectureName, architectureSymbol } from './architectureStyle.ts';
import { count, fixed, percent, significant } from '../format/number.ts';
import { chart, tipStyle, type ChartSize } from './chartFrame.ts';
import { logTicks } from './logTicks.ts';
import { placedNames, type NamePlace } from './placedNames.ts';

export interface ParetoPoint {
  run: string;
  seed: number;
  architecture: string;
  /** The model and the hook point that it reads. */
  place: string;
  /** Latents in the dictionary. */
  width: number;
  l0: number;
  /** Fraction of variance unexplained. */
  fvu: number;
  ceRecovered: number;
  href: string;
}

/** The mark of an architecture as Plot draws it. Plot calls a filled plus a cross, and has no pentagon. */
function markOf(architecture: string): Plot.SymbolType | { draw: typeof drawPentagon } {
  const symbol = architectureSymbol(architecture);
  if (symbol === 'pentagon') return { draw: drawPentagon };
  return symbol === 'plus' ? 'cross' : symbol;
}

/** A regular pentagon of that area about the origin. */
function drawPentagon(
  context: { moveTo(x: number, y: number): void; lineTo(x: number, y: number): void; closePath(): void },
  size: number,
): void {
  const radius = Math.sqrt(size / (2.5 * Math.sin((2 * Math.PI) / 5)));
  for (let corner = 0; corner < 5; corner++) {
    const angle = (2 * Math.PI * corner) / 5;
    const [x, y] = [radius * Math.sin(angle), -radius * Math.cos(angle)];
    if (corner === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.closePath();
}

/**
 * Sparsity against reconstruction, with a mark for each seed: L0 (log) on x and FVU on y, so that dictionaries are better
 * towards the lower left. A thin line connects the means of an architecture's runs at one hook point.
 */
export function paretoPlot(points: readonly ParetoPoint[], size: ChartSize): SVGSVGElement {
  const architectures = [...new Set(points.map((point) => point.architecture))];
  const means = runMeans(points);
  const top = ceiling(points.map((point) => point.fvu));
  const within = (point: { fvu: number }) => Math.min(point.fvu, top);
  const [low, high] = extent(points.map((point) => point.l0));
  const names = namesOf({ means, points }, size, ({ l0, fvu }) => ({
    px: Math.log(l0 / (low / 1.25)) / Math.log((high * 1.25) / (low / 1.25)),
    py: within({ fvu }) / top,
  }));
  return chart(
    size,
    { label: 'FVU against L0, one mark a seed', description: describe(points) },
    {
      grid: true,
      x: {
        type: 'log',
        label: 'L0 (latents active a token, log) →',
        labelAnchor: 'right',
        domain: [low / 1.25, high * 1.25],
        ticks: logTicks(low / 1.25, high * 1.25),
        tickFormat: (value: number) => significant(value, 2),
      },
      // Room above the highest mark, which would be cut in half at the frame.
      y: {
        label: '↑ FVU (variance unexplained)',
        domain: [0, top],
        ticks: 5,
      },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--line-strong)' }),
        Plot.line(means, {
          x: 'l0',
          y: within,
          z: (point: RunMean) => `${point.architecture} ${point.place}`,
          stroke: (point: RunMean) => architectureColour(point.architecture),
          strokeOpacity: 0.45,
          strokeWidth: 1.25,
        }),
        // Each architecture is a Plot mark of its own, because a symbol scale would assign other symbols.
        ...architectures.map((architecture) =>
          Plot.dot(
            points.filter((point) => point.architecture === architecture),
            {
              x: 'l0',
              y: within,
              r: 4.5,
              symbol: markOf(architecture),
              fill: architectureColour(architecture),
              fillOpacity: 0.82,
              stroke: 'var(--surface)',
              strokeWidth: 1,
              href: 'href',
              ariaLabel: (point: ParetoPoint) => caption(point),
            },
          ),
        ),
        // A mark of its own for each name, because an offset is of a whole mark.
        ...names.map(({ name, l0, fvu, architecture, dx, dy }) =>
          Plot.text([name], {
            x: [l0],
            y: [Math.min(fvu, top)],
            dx,
            dy,
            fill: architectureColour(architecture),
            fontSize: 11,
          }),
        ),
        Plot.tip(
          points,
          Plot.pointer({
            x: 'l0',
            y: within,
            maxRadius: 30,
            title: (point: ParetoPoint) =>
              [
                `${point.run} · seed ${point.seed}`,
                `${architectureName(point.architecture)}, ${count(point.width)} latents`,
                `L0 ${significant(point.l0, 3)}   FVU ${fixed(point.fvu)}`,
                `CE recovered ${percent(point.ceRecovered)}`,
              ].join('\n'),
            ...tipStyle,
          }),
        ),
      ],
    },
  );
}

/** Of more runs than this, only architectures are named, each at its best dictionary: names of all would cover the marks. */
const mostNames = 12;
const frame = { left: 46, right: 14, top: 26, bottom: 38 };

interface PlacedName extends NamePlace, Pick<RunMean, 'architecture' | 'l0' | 'fvu'> {
  name: string;
}

/** `shareOf` gives a place on the chart as shares of its width, from the left, and of its height, from below. */
function namesOf(
  { means, points }: { means: readonly RunMean[]; points: readonly ParetoPoint[] },
  { width, height }: ChartSize,
  shareOf: (mark: { l0: number; fvu: number }) => { px: number; py: number },
): PlacedName[] {
  const best = new Map<string, RunMean>();
  for (const mean of means)
    if (!((best.get(mean.architecture)?.fvu ?? Infinity) <= mean.fvu)) best.set(mean.architecture, mean);
  const named =
    means.length <= mostNames
      ? means.map((mean) => ({ ...mean, name: mean.run }))
      : [...best.values()].map((mean) => ({ ...mean, name: architectureName(mean.architecture) }));
  const [right, bottom] = [width - frame.right, height - frame.bottom];
  const placeOf = (mark: { l0: number; fvu: number }) => {
    const { px, py } = shareOf(mark);
    return { px: frame.left + px * (right - frame.left), py: bottom - py * (bottom - frame.top) };
  };
  const marks = named.map((one) => ({ name: one.name, ...placeOf(one) }));
  const box = { left: frame.left, right, top: 0, bottom };
  const places = placedNames(marks, box, points.map(placeOf));
  return named.map(({ name, architecture, l0, fvu }, at) => ({ name, architecture, l0, fvu, ...places[at] }));
}

/**
 * The top of the axis: room above the highest mark, unless it is a run that did worse than predicting the mean (FVU above 1),
 * as a run does that diverged. Such marks are drawn at the top, so that the others stay apart.
 */
function ceiling(fvus: readonly number[]): number {
  const sound = fvus.filter((fvu) => fvu <= 1);
  return sound.length === fvus.length || sound.length === 0
    ? 1.12 * Math.max(1e-3, ...fvus)
    : Math.max(1e-3, ...sound) * 1.25;
}

interface RunMean {
  run: string;
  architecture: string;
  place: string;
  l0: number;
  fvu: number;
}

/** The mean over each run's seeds, ordered by L0 within each architecture. */
export function runMeans(points: readonly ParetoPoint[]): RunMean[] {
  const groups = new Map<string, ParetoPoint[]>();
  for (const point of points) groups.set(point.run, [...(groups.get(point.run) ?? []), point]);
  return [...groups.values()]
    .map((seeds) => ({
      run: seeds[0]?.run ?? '',
      architecture: seeds[0]?.architecture ?? '',
      place: seeds[0]?.place ?? '',
      l0: mean(seeds.map((seed) => seed.l0)),
      fvu: mean(seeds.map((seed) => seed.fvu)),
    }))
    .sort((a, b) => a.l0 - b.l0);
}

function describe(points: readonly ParetoPoint[]): string {
  return runMeans(points)
    .map(
      (run) => `${architectureName(run.architecture)}: L0 ${significant(run.l0, 3)}, FVU ${fixed(run.fvu)}`,
    )
    .join('; ');
}

function caption(point: ParetoPoint): string {
  return `${point.run} seed ${point.seed}: L0 ${significant(point.l0, 3)}, FVU ${fixed(point.fvu)}`;
}

function extent(values: readonly number[]): [number, number] {
  return values.length ? [Math.max(1e-3, Math.min(...values)), Math.max(1e-3, ...values)] : [1, 100];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
