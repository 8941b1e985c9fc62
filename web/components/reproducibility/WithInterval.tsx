/** A figure with its 95 % interval below it, so that a narrow table has room for what stands beside it. */
export function WithInterval({
  value,
  interval,
  format,
}: {
  value: number | null;
  interval: readonly [number, number] | null;
  format: (value: number | null) => string;
}) {
  return (
    <>
      {format(value)}
      {interval && (
        <span className="xs muted" style={{ display: 'block' }}>
          {' '}
          ({format(interval[0])} to {format(interval[1])})
        </span>
      )}
    </>
  );
}
