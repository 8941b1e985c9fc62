/** Exact nearest neighbours of points in the plane, for any number of points: they are sorted into square cells, which are searched in rings. */

/** [points, count]: the `count` nearest of `candidates` (all points by default) to each of `of` (all by default), itself left out; −1 where there are fewer. */
export function nearestInPlane(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  count: number,
  { of, candidates }: { of?: readonly number[]; candidates?: readonly number[] } = {},
): Int32Array {
  const all = Array.from({ length: x.length }, (_, i) => i);
  const asked = of ?? all;
  const offered = candidates ?? all;
  const out = new Int32Array(asked.length * count).fill(-1);
  if (offered.length === 0) return out;
  const grid = gridOf(x, y, offered);
  asked.forEach((point, at) => out.set(nearestOf(point, { x, y, count, grid }), at * count));
  return out;
}

interface Grid {
  readonly size: number;
  readonly left: number;
  readonly low: number;
  readonly width: number;
  readonly cells: readonly (readonly number[])[];
}

function gridOf(x: ArrayLike<number>, y: ArrayLike<number>, offered: readonly number[]): Grid {
  const range = (values: ArrayLike<number>) => {
    let [low, high] = [Infinity, -Infinity];
    for (const i of offered) [low, high] = [Math.min(low, values[i]), Math.max(high, values[i])];
    return [low, high] as const;
  };
  const [[left, right], [low, top]] = [range(x), range(y)];
  const size = Math.max(1, Math.floor(Math.sqrt(offered.length / 4)));
  const width = Math.max(right - left, top - low, 1e-9) / size;
  const cells = Array.from({ length: size * size }, (): number[] => []);
  const grid = { size, left, low, width, cells };
  for (const i of offered) cells[cellOf(grid, x[i], y[i]).index].push(i);
  return grid;
}

function cellOf({ size, left, low, width }: Grid, x: number, y: number) {
  const within = (value: number) => Math.max(0, Math.min(size - 1, Math.floor(value)));
  const [column, row] = [within((x - left) / width), within((y - low) / width)];
  return { column, row, index: row * size + column };
}

function nearestOf(
  point: number,
  { x, y, count, grid }: { x: ArrayLike<number>; y: ArrayLike<number>; count: number; grid: Grid },
): number[] {
  const { column, row } = cellOf(grid, x[point], y[point]);
  let found: { i: number; distance: number }[] = [];
  for (let ring = 0; ring <= grid.size; ring++) {
    // Everything in rings from this one on is at least this far from a point within the grid.
    if (found.length === count && found[count - 1].distance <= ((ring - 1) * grid.width) ** 2) break;
    for (const cell of ringOf(grid, column, row, ring))
      for (const i of cell)
        if (i !== point) found.push({ i, distance: (x[i] - x[point]) ** 2 + (y[i] - y[point]) ** 2 });
    found = found.sort((p, q) => p.distance - q.distance || p.i - q.i).slice(0, count);
  }
  return found.map(({ i }) => i);
}

function* ringOf({ size, cells }: Grid, column: number, row: number, ring: number) {
  for (let r = row - ring; r <= row + ring; r++) {
    if (r < 0 || r >= size) continue;
    const edge = Math.abs(r - row) === ring;
    for (let c = column - ring; c <= column + ring; c += edge ? 1 : Math.max(1, 2 * ring))
      if (c >= 0 && c < size) yield cells[r * size + c];
  }
}
