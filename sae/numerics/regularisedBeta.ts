/**
 * I_x(a, b), the regularised incomplete beta function: the distribution function of Beta(a, b). By the continued fraction
 * of the NIST handbook (DLMF 8.17.22), evaluated by Lentz's method, on the side of the mean where it converges fast.
 */
import { LazyscopeError } from '../errors.ts';

/**
 * P(X ≤ x) for X ~ Beta(a, b), accurate relative to its own size when that is small. `complement` is 1 − x, which a caller who
 * knows it better than by subtraction passes: near x = 1 it is what the digits depend on.
 *
 * Throws 'bad_input' for parameters that are not positive or an x outside [0, 1].
 */
export function regularisedBeta(x: number, a: number, b: number, complement = 1 - x): number {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1))
    throw new LazyscopeError('bad_input', `Beta(${a}, ${b}) has no distribution function at ${x}.`);
  if (x === 0) return 0;
  if (complement === 0) return 1;
  const front = Math.exp(a * Math.log(x) + b * Math.log(complement) - logBeta(a, b));
  return x < (a + 1) / (a + b + 2)
    ? (front * fraction(x, a, b)) / a
    : 1 - (front * fraction(complement, b, a)) / b;
}

/** ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1) from 12 upwards, and the recurrence below. */
export function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  // Rounding is about that of the largest term, so that the factors are gathered before one logarithm is taken.
  for (let product = 1; at < 12; at++) {
    product *= at;
    if (at + 1 >= 12) shift = Math.log(product);
  }
  const r = 1 / (at * at);
  const series =
    (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - (r * 691) / 360360))))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** The continued fraction 1/(1 + d₁/(1 + d₂/(1 + …))). */
function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) return value;
  }
  return value;
}
