/**
 * Labelled ticks of a logarithmic axis: powers of ten over many decades, 1, 2, 5 between them over a few, and equal
 * steps when the domain is a fraction of a decade. d3's own choice is sometimes too many labels and sometimes none.
 */
const steps = [[1], [1, 3], [1, 2, 5]];

export function logTicks(low: number, high: number, least = 3): number[] {
  if (!(low > 0) || !(high > low)) return [];
  for (const step of steps) {
    const ticks = between(low, high, step);
    if (ticks.length >= least) return ticks;
  }
  return equalSteps(low, high, least);
}

/** Multiples of 1, 2 or 5 times a power of ten, of the largest that gives enough. */
function equalSteps(low: number, high: number, least: number): number[] {
  for (let power = Math.ceil(Math.log10(high)); power > -12; power--)
    for (const digit of [5, 2, 1]) {
      const step = digit * 10 ** power;
      const first = Math.ceil(low / step - 1e-9);
      const count = Math.floor(high / step + 1e-9) - first + 1;
      if (count >= least)
        return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(6)));
    }
  return [];
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
