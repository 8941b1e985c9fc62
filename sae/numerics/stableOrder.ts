/**
 * `items` by the numbers that they point at, [items]: equal ones in the order given, those of NaN last in either order. The numbers are sorted, which
 * typed arrays do without a function that compares, and then each item goes to the place of its number: several times as fast as sorting the items.
 */
export function stableOrder(
  items: ArrayLike<number>,
  values: ArrayLike<number>,
  order: 'asc' | 'desc' = 'asc',
): Int32Array {
  const count = items.length;
  const sorted = new Float64Array(count);
  for (let i = 0; i < count; i++) sorted[i] = values[items[i]];
  // NaN comes last.
  sorted.sort();
  let numbers = count;
  while (numbers > 0 && Number.isNaN(sorted[numbers - 1])) numbers--;
  /** Where the next item of each number goes; a map takes −0 for 0, and NaN for itself. */
  const next = new Map<number, number>();
  for (let from = 0; from < count;) {
    let to = from + 1;
    while (to < count && (to >= numbers ? from >= numbers : sorted[to] === sorted[from])) to++;
    next.set(sorted[from], order === 'asc' || from >= numbers ? from : numbers - to);
    from = to;
  }
  const placed = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[items[i]];
    const place = next.get(value) ?? 0;
    placed[place] = items[i];
    next.set(value, place + 1);
  }
  return placed;
}
