/**
 * A list of numbers as one bound parameter of a query. DuckDB's binding infers a list's type from its first
 * item and refuses an empty one, so the list travels as text: `string_split($name, ',')` takes it apart.
 */
export const listParameter = (numbers: ArrayLike<number>): string => Array.from(numbers).join(',');

/** The smallest and the largest of a list: bounds by which a reader of Parquet skips row groups, which it can't do by the list itself. */
export const listBounds = (numbers: readonly number[]): { least: number; most: number } => ({
  least: numbers.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER),
  most: numbers.reduce((a, b) => Math.max(a, b), -1),
});

/** The SQL that reads a listParameter back. */
export const integersFrom = (parameter: string): string =>
  `list_transform(list_filter(string_split($${parameter}, ','), lambda t: t <> ''), lambda t: t::INTEGER)`;
