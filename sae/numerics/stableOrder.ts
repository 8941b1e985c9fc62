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
  /** Where the next item of a number goes, by the first place of that number in `sorted`; of NaN at `numbers`. */
  const next = new Int32Array(count);
  for (let from = 0; from < numbers;) {
    let to = from + 1;
    while (to < numbers && sorted[to] === sorted[from]) to++;
    next[from] = order === 'asc' ? from : numbers - to;
    from = to;
  }
  if (numbers < count) next[numbers] = numbers;
  const placed = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[items[i]];
    const first = Number.isNaN(value) ? numbers : firstPlace(sorted, numbers, value);
    placed[next[first]++] = items[i];
  }
  return placed;
}

/** The first place, of the first `count`, whose number is not below `value`; the numbers ascend. */
export function firstPlace(sorted: Float64Array, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
