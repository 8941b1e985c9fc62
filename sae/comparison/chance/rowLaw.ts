/**
 * Chance, second kind: random directions with the covariance of the activations, v ∝ Σ^½ g, g ~ N(0, I). How often does such
 * a direction come as near as c to one given row a? That law is exact, and differs from row to row: a row along a leading
 * principal component meets its like more often than one across all of them.
 *
 * In Σ's eigenbasis, with a unit and α_k = a_k², cos(a, v) ≥ c > 0 says gᵀ(w wᵀ − c²Λ)g ≥ 0 and w·g > 0, w = Λ^½ a. That form has one
 * positive eigenvalue μ, so that the probability is ½ P(χ²₁ ≥ Y), Y the weighted sum of χ²₁ that its negative ones make. Craig's formula
 * for the normal tail turns this into one integral (the same step as in the error rates of fading channels, Simon & Alouini, 1998):
 *
 *   P(cos ≥ c) = (1/π) ∫₀^∞ G(x)^−½ / (1 + x²) dx,  G(x) = Π_k (1 + s λ_k) · (ψ(s)/c² − 1) / x²,  s = (1 + x²)/q,
 *
 * where ψ(s) = Σ_k α_k s λ_k/(1 + s λ_k) and 1/q is the root of ψ = c². The two factors of G come from the determinant of a diagonal
 * matrix changed by rank one, so that no eigenvalue of the form has to be found. The integrand is even, analytic and falls
 * like a Gaussian: the trapezoid rule converges geometrically. It is taken over y, x = sinh y, since in few dimensions the tail is a
 * power of x. With Σ = I it is the Beta law of isotropicLaw.ts.
 */

/** Step of the trapezoid rule, in standard deviations of the integrand where that is the smaller. */
const step = { relative: 0.5, absolute: 0.25 } as const;

/**
 * P(cos(a, v) ≥ c). `eigenvalues` [d] of Σ, not negative and not all 0; `squares` [d], from `at` on, are a's squared coordinates in its
 * eigenbasis, which sum to 1 (rounding is forgiven). `counts` [d] says how often each eigenvalue occurs, for a spectrum that is condensed
 * (condensedSpectrum.ts); once, where it is left out. A direction is continuous, so that ≥ and > are the same.
 */
export function rowExceedance(
  c: number,
  eigenvalues: Float64Array,
  squares: ArrayLike<number>,
  at = 0,
  counts?: Float64Array,
): number {
  if (c < 0) return 1 - rowExceedance(-c, eigenvalues, squares, at, counts);
  if (c >= 1) return 0;
  if (c === 0) return 0.5;
  const d = eigenvalues.length;
  const level = c * c;
  const q = rootOfPsi(level, eigenvalues, squares, at);
  if (q === null) return 0;
  // ψ at s = 1/q, d ln ψ and d ln Π(1 + sλ) by ln s: G(x) ≈ G(0) exp(κx²) near x = 0.
  let slope = 0;
  let curve = 0;
  let kappa = 0;
  for (let k = 0; k < d; k++) {
    const lambda = eigenvalues[k];
    const share = lambda / (q + lambda);
    const rest = 1 - share;
    slope += squares[at + k] * share * rest;
    curve += squares[at + k] * share * rest * share;
    kappa += counts ? counts[k] * share : share;
  }
  // Half of the second derivative of ψ by z = 1 + x² at z = 1 is −curve, so ψ(z)/c² − 1 ≈ (slope·x² − curve·x⁴)/c².
  if (slope <= 0) return 0;
  const width = Math.sqrt(1 / Math.max(kappa - curve / slope, 1e-12));
  const h = Math.min(step.relative * width, step.absolute);
  let sum = 0.5 * Math.exp(-0.5 * (logDeterminant(eigenvalues, 1 / q, counts) + Math.log(slope / level)));
  const first = sum;
  for (let i = 1; ; i++) {
    const x = Math.sinh(i * h);
    const z = 1 + x * x;
    let psi = 0;
    for (let k = 0; k < d; k++) {
      const scaled = z * eigenvalues[k];
      psi += (squares[at + k] * scaled) / (q + scaled);
    }
    const ratio = (psi / level - 1) / (x * x);
    // Where c is 1 but for rounding, nothing is left of the ratio's digits, and the first term is all there is.
    if (!(ratio > 0)) break;
    const term =
      Math.exp(-0.5 * (logDeterminant(eigenvalues, z / q, counts) + Math.log(ratio))) / Math.sqrt(z);
    sum += term;
    if (!(term > 1e-12 * first)) break;
  }
  return Math.min(0.5, (sum * h) / Math.PI);
}

/** The q > 0 at which Σ_k α_k λ_k/(q + λ_k) = level; null where even q = 0 gives less, for a row in the null space of Σ. */
function rootOfPsi(
  level: number,
  eigenvalues: Float64Array,
  squares: ArrayLike<number>,
  at: number,
): number | null {
  let q = 0;
  // 1/ψ is concave and increasing in q, and a straight line where all eigenvalues are equal: Newton's method rises to the root.
  for (let round = 0; round < 100; round++) {
    let psi = 0;
    let fall = 0;
    for (let k = 0; k < eigenvalues.length; k++) {
      const lambda = eigenvalues[k];
      if (lambda === 0) continue;
      const share = lambda / (q + lambda);
      psi += squares[at + k] * share;
      fall += (squares[at + k] * share) / (q + lambda);
    }
    if (psi <= level && round === 0) return null;
    const change = ((psi - level) * psi) / (level * fall);
    q += change;
    if (Math.abs(change) <= 1e-13 * q) return q;
  }
  return q;
}

/** Σ_k ln(1 + s λ_k), by products, since a logarithm costs as much as a dozen of them. */
function logDeterminant(eigenvalues: Float64Array, s: number, counts?: Float64Array): number {
  let sum = 0;
  if (counts) {
    for (let k = 0; k < eigenvalues.length; k++) sum += counts[k] * Math.log1p(s * eigenvalues[k]);
    return sum;
  }
  let product = 1;
  for (let k = 0; k < eigenvalues.length; k++) {
    product *= 1 + s * eigenvalues[k];
    if (product > 1e150) {
      sum += Math.log(product);
      product = 1;
    }
  }
  return sum + Math.log(product);
}
