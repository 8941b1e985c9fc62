import { miniHistogram } from '../../charts/miniHistogram.ts';

/** A small histogram of a latent's activations, for rows of a table. */
export function MiniHistogram({
  counts,
  width = 64,
  height = 16,
}: {
  counts: readonly number[];
  width?: number;
  height?: number;
}) {
  return (
    <svg
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
      style={{ display: 'block' }}
    >
      <path d={miniHistogram(counts, width, height)} fill="var(--chart-fill)" />
    </svg>
  );
}
