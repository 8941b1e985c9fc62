/**
 * A histogram the height of a line of text, for tables: the `d` of one path, bars from the baseline, heights on a
 * square-root scale as in the full chart.
 */
export function miniHistogram(counts: readonly number[], width: number, height: number): string {
  const top = Math.sqrt(Math.max(0, ...counts));
  if (!top || counts.length === 0) return '';
  const step = width / counts.length;
  const gap = step > 2.5 ? 0.5 : 0;
  return counts
    .map((tokens, bin) => {
      if (tokens <= 0) return '';
      // Bars have a least height, so that a bin with one token does not look empty.
      const bar = Math.max(0.75, (Math.sqrt(tokens) / top) * height);
      return `M${round(bin * step)},${height}v${round(-bar)}h${round(step - gap)}v${round(bar)}z`;
    })
    .join('');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
