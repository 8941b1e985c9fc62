/** Minimises a smooth convex function: L-BFGS with ten pairs and a backtracking line search (Nocedal & Wright, Numerical Optimization, 2006, §7.2). */

/** The value at `x`; writes the gradient there into `gradient`. */
export type SmoothFunction = (x: Float64Array, gradient: Float64Array) => number;

const pairsKept = 10;
const sufficientDecrease = 1e-4;

/** Awaited from time to time by work that would otherwise block; it may throw, which ends the work. */
export type Breathe = () => Promise<void>;
export const stepsBetweenBreaths = 10;

/**
 * Starts at `start` and ends where no component of the gradient is larger than `tolerance`, where the value cannot be made smaller
 * any more, or after `steps` steps. Returns the last point.
 */
export async function minimiseSmooth(
  value: SmoothFunction,
  start: Float64Array,
  { tolerance, steps, breathe }: { tolerance: number; steps: number; breathe?: Breathe | undefined },
): Promise<Float64Array> {
  const size = start.length;
  let x = Float64Array.from(start);
  let gradient = new Float64Array(size);
  let current = value(x, gradient);
  const pairs: { s: Float64Array; y: Float64Array; sy: number }[] = [];
  for (let step = 0; step < steps && largest(gradient) > tolerance; step++) {
    if (breathe && step % stepsBetweenBreaths === 0) await breathe();
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    const nextX = new Float64Array(size);
    const nextGradient = new Float64Array(size);
    let rate = pairs.length > 0 ? 1 : 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)));
    let next = Infinity;
    for (let halving = 0; halving < 50; halving++, rate /= 2) {
      for (let i = 0; i < size; i++) nextX[i] = x[i] + rate * direction[i];
      next = value(nextX, nextGradient);
      if (next <= current + sufficientDecrease * rate * slope) break;
    }
    if (!(next < current)) return x;
    const s = nextX.map((after, i) => after - x[i]);
    const y = nextGradient.map((after, i) => after - gradient[i]);
    const sy = dot(s, y);
    if (sy > 1e-12 * dot(y, y)) {
      pairs.push({ s, y, sy });
      if (pairs.length > pairsKept) pairs.shift();
    }
    [x, gradient, current] = [nextX, nextGradient, next];
  }
  return x;
}

/** −H·gradient, H the approximate inverse of the second derivatives by the two-loop recursion. */
function descent(gradient: Float64Array, pairs: readonly { s: Float64Array; y: Float64Array; sy: number }[]) {
  const q = gradient.map((one) => -one);
  const alphas = new Float64Array(pairs.length);
  for (let p = pairs.length - 1; p >= 0; p--) {
    const { s, y, sy } = pairs[p];
    alphas[p] = dot(s, q) / sy;
    for (let i = 0; i < q.length; i++) q[i] -= alphas[p] * y[i];
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = last.sy / dot(last.y, last.y);
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  for (const [p, { s, y, sy }] of pairs.entries()) {
    const beta = dot(y, q) / sy;
    for (let i = 0; i < q.length; i++) q[i] += (alphas[p] - beta) * s[i];
  }
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const one of values) most = Math.max(most, Math.abs(one));
  return most;
}
