/** A small line plot as an SVG file: logarithmic x, shares from 0 on y, a bar for the range. Readable on light and dark. */
export interface PlotLine {
  name: string;
  colour: string;
  points: { x: number; y: number; low: number; high: number }[];
}

const size = { width: 560, height: 300, left: 56, right: 110, top: 34, bottom: 44 };
const ink = '#6c6c65';

export function studyPlot(
  lines: readonly PlotLine[],
  { title, x: axis }: { title: string; x: { label: string; format: (value: number) => string } },
): string {
  const points = lines.flatMap((line) => line.points);
  const [least, most] = [Math.min(...points.map(({ x }) => x)), Math.max(...points.map(({ x }) => x))];
  const top = niceAbove(Math.max(0.01, ...points.map(({ high }) => high)));
  const span = Math.log(most / least) || 1;
  const x = (value: number) =>
    size.left + (Math.log(value / least) / span) * (size.width - size.left - size.right);
  const y = (value: number) =>
    size.height - size.bottom - (value / top) * (size.height - size.top - size.bottom);
  const at = (value: number) => value.toFixed(1);
  const text = (px: number, py: number, what: string, more = '') =>
    `<text x="${at(px)}" y="${at(py)}" fill="${ink}" ${more}>${what}</text>`;
  const places = ticksOf(points.map((point) => point.x));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">`,
    text(size.left, 18, title, 'font-weight="600"'),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        `<path d="M${size.left} ${at(y(share * top))}H${size.width - size.right}" stroke="${ink}" stroke-opacity="${share === 0 ? 0.8 : 0.2}"/>` +
        text(
          size.left - 8,
          y(share * top) + 4,
          `${Number((100 * share * top).toPrecision(3))} %`,
          'text-anchor="end"',
        ),
    ),
    ...places.map((value) =>
      text(x(value), size.height - size.bottom + 18, axis.format(value), 'text-anchor="middle"'),
    ),
    text(
      (size.left + size.width - size.right) / 2,
      size.height - 8,
      `${axis.label} (log)`,
      'text-anchor="middle"',
    ),
    ...lines.map(({ name, colour, points: own }) => {
      const path = own.map((p, i) => `${i === 0 ? 'M' : 'L'}${at(x(p.x))} ${at(y(p.y))}`).join('');
      const bars = own.map((p) => `M${at(x(p.x))} ${at(y(p.low))}V${at(y(p.high))}`).join('');
      const dots = own
        .map((p) => `<circle cx="${at(x(p.x))}" cy="${at(y(p.y))}" r="3.2" fill="${colour}"/>`)
        .join('');
      const last = own[own.length - 1];
      return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/><path d="${bars}" stroke="${colour}" stroke-opacity="0.6"/>${dots}<text x="${at(x(last.x) + 9)}" y="${at(y(last.y) + 4)}" fill="${colour}">${name}</text>`;
    }),
    '</svg>',
    '',
  ].join('\n');
}

/** The places that are there, without those too near to one before. */
function ticksOf(values: readonly number[]): number[] {
  const kept: number[] = [];
  for (const value of [...new Set(values)].sort((a, b) => a - b))
    if (kept.length === 0 || value / kept[kept.length - 1] > 1.35) kept.push(value);
  return kept;
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}
