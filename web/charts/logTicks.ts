/**
 * Labelled ticks of a logarithmic axis: powers of ten over many decades, 1, 2, 5 between them over a few, and finer steps
 * when the domain is a fraction of a decade. d3's own choice is sometimes too many labels and sometimes none.
 */
const steps = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 5, 7],
  [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9],
];

export function logTicks(low: number, high: number, least = 3): number[] {
  if (!(low > 0) || !(high > low)) return [];
  for (const step of steps) {
    const ticks = between(low, high, step);
    if (ticks.length >= least) return ticks;
  }
  return between(low, high, steps.at(-1) ?? [1]);
}

function between(low: number, high: number, steps: readonly number[]): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(3));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks;
}
