/**
 * A small line plot as an SVG file: logarithmic or linear x, logarithmic shares on y, a bar for the range. What is below the foot
 * of the axis is drawn at the foot. Readable on light and dark.
 */

/** The architectures that the studies compare, as their tables and plots show them. */
export const architectures = [
  { key: 'topk', name: 'TopK', colour: '#b94a08' },
  { key: 'relu', name: 'ReLU + L1', colour: '#1767a8' },
  { key: 'jumprelu', name: 'JumpReLU', colour: '#0b7254' },
] as const;

export interface PlotLine {
  name: string;
  colour: string;
  points: { x: number; y: number; low: number; high: number }[];
}

const size = { width: 560, height: 300, left: 56, right: 110, top: 34, bottom: 44 };
const ink = '#6c6c65';
/** The foot of the axis: smaller shares are drawn there. */
const foot = 0.001;
const labelHeight = 14;

export function studyPlot(
  lines: readonly PlotLine[],
  {
    title,
    x: axis,
  }: { title: string; x: { label: string; format: (value: number) => string; scale?: 'log' | 'linear' } },
): string {
  const points = lines.flatMap((line) => line.points);
  const [least, most] = [Math.min(...points.map(({ x }) => x)), Math.max(...points.map(({ x }) => x))];
  const isLog = axis.scale !== 'linear';
  const along = (value: number) => (isLog ? Math.log(value / least) : value - least);
  const span = along(most) || 1;
  const x = (value: number) => size.left + (along(value) / span) * (size.width - size.left - size.right);
  const y = (share: number) =>
    size.height -
    size.bottom -
    (Math.log(Math.max(share, foot) / foot) / Math.log(1 / foot)) * (size.height - size.top - size.bottom);
  const at = (value: number) => value.toFixed(1);
  const text = (px: number, py: number, what: string, more = '') =>
    `<text x="${at(px)}" y="${at(py)}" fill="${ink}" ${more}>${what}</text>`;
  const labels = apart(lines.map(({ points: own }) => y(own[own.length - 1].y)));
  const places = ticksOf(
    points.map((point) => point.x),
    (value, before) => (isLog ? value / before > 1.35 : along(value) - along(before) > 0.08 * span),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">`,
    text(size.left, 18, title, 'font-weight="600"'),
    ...[foot, 0.01, 0.1, 1].map(
      (share) =>
        `<path d="M${size.left} ${at(y(share))}H${size.width - size.right}" stroke="${ink}" stroke-opacity="${share === foot ? 0.8 : 0.2}"/>` +
        text(size.left - 8, y(share) + 4, `${100 * share} %`, 'text-anchor="end"'),
    ),
    ...places.map((value) =>
      text(x(value), size.height - size.bottom + 18, axis.format(value), 'text-anchor="middle"'),
    ),
    text(
      (size.left + size.width - size.right) / 2,
      size.height - 8,
      isLog ? `${axis.label} (log)` : axis.label,
      'text-anchor="middle"',
    ),
    ...lines.map(({ name, colour, points: own }, index) => {
      const path = own.map((p, i) => `${i === 0 ? 'M' : 'L'}${at(x(p.x))} ${at(y(p.y))}`).join('');
      const bars = own.map((p) => `M${at(x(p.x))} ${at(y(p.low))}V${at(y(p.high))}`).join('');
      const dots = own
        .map((p) => `<circle cx="${at(x(p.x))}" cy="${at(y(p.y))}" r="3.2" fill="${colour}"/>`)
        .join('');
      return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/><path d="${bars}" stroke="${colour}" stroke-opacity="0.6"/>${dots}<text x="${size.width - size.right + 9}" y="${at(labels[index] + 4)}" fill="${colour}">${name}</text>`;
    }),
    '</svg>',
    '',
  ].join('\n');
}

/** The places of labels, without those too near to the one before. */
function ticksOf(values: readonly number[], isFarFrom: (value: number, before: number) => boolean): number[] {
  const kept: number[] = [];
  for (const value of [...new Set(values)].sort((a, b) => a - b))
    if (kept.length === 0 || isFarFrom(value, kept[kept.length - 1])) kept.push(value);
  return kept;
}

/** Heights of labels in the order of their lines, moved apart where they would overlap. */
function apart(heights: readonly number[]): number[] {
  const out = [...heights];
  const order = heights.map((_, i) => i).sort((i, j) => heights[i] - heights[j]);
  for (let i = 1; i < order.length; i++)
    out[order[i]] = Math.max(out[order[i]], out[order[i - 1]] + labelHeight);
  const over = Math.max(0, out[order[order.length - 1]] - (size.height - size.bottom));
  return out.map((height) => height - over);
}
