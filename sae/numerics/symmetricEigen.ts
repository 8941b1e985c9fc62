/**
 * Eigenvalues and vectors of a symmetric matrix in double precision: Householder reduction to tridiagonal form, then QL with
 * implicit shifts (EISPACK's tred2 and tql2; Bowdler, Martin, Reinsch & Wilkinson, 1968).
 */
import { LazyscopeError } from '../errors.ts';

export interface SymmetricEigen {
  /** [n], descending. */
  values: Float64Array;
  /** [n, n]: row i is the unit eigenvector of values[i]. */
  vectors: Float64Array;
}

/** Eigenvalues and eigenvectors of a [n, n], of which only the lower triangle is read. */
export function symmetricEigen(a: ArrayLike<number>, n: number): SymmetricEigen {
  const v = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (_, j) => a[i >= j ? i * n + j : j * n + i]),
  );
  const d = Float64Array.from(v[n - 1]);
  const e = new Float64Array(n);
  tridiagonalise(v, d, e);
  implicitQl(v, d, e);
  const order = Array.from(d.keys()).sort((i, j) => d[j] - d[i]);
  const vectors = new Float64Array(n * n);
  order.forEach((column, i) => {
    for (let k = 0; k < n; k++) vectors[i * n + k] = v[column][k];
  });
  return { values: Float64Array.from(order, (column) => d[column]), vectors };
}

/** Householder reduction (tred2): v becomes the accumulated reflections, d the diagonal, e the subdiagonal (from index 1). */
function tridiagonalise(v: Float64Array[], d: Float64Array, e: Float64Array): void {
  const n = d.length;
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(d[k]);
    let h = 0;
    if (scale === 0) {
      e[i] = d[i - 1];
      for (let j = 0; j < i; j++) {
        d[j] = v[j][i - 1];
        v[j][i] = v[i][j] = 0;
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] /= scale;
        h += d[k] * d[k];
      }
      const f = d[i - 1];
      const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      d[i - 1] = f - g;
      e.fill(0, 0, i);
      for (let j = 0; j < i; j++) {
        const dj = d[j];
        v[i][j] = dj;
        let sum = e[j] + v[j][j] * dj;
        for (let k = j + 1; k < i; k++) {
          sum += v[j][k] * d[k];
          e[k] += v[j][k] * dj;
        }
        e[j] = sum;
      }
      let dot = 0;
      for (let j = 0; j < i; j++) {
        e[j] /= h;
        dot += e[j] * d[j];
      }
      const half = dot / (h + h);
      for (let j = 0; j < i; j++) e[j] -= half * d[j];
      for (let j = 0; j < i; j++) {
        const [dj, ej] = [d[j], e[j]];
        for (let k = j; k < i; k++) v[j][k] -= dj * e[k] + ej * d[k];
        d[j] = v[j][i - 1];
        v[j][i] = 0;
      }
    }
    d[i] = h;
  }
  for (let i = 0; i < n - 1; i++) {
    v[i][n - 1] = v[i][i];
    v[i][i] = 1;
    const h = d[i + 1];
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[i + 1][k] / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += v[i + 1][k] * v[j][k];
        for (let k = 0; k <= i; k++) v[j][k] -= g * d[k];
      }
    }
    for (let k = 0; k <= i; k++) v[i + 1][k] = 0;
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[j][n - 1];
    v[j][n - 1] = 0;
  }
  v[n - 1][n - 1] = 1;
  e[0] = 0;
}

const sweeps = 60;

function implicitQl(v: Float64Array[], d: Float64Array, e: Float64Array): void {
  const n = d.length;
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  let shift = 0;
  let largest = 0;
  for (let l = 0; l < n; l++) {
    largest = Math.max(largest, Math.abs(d[l]) + Math.abs(e[l]));
    let end = l;
    while (end < n - 1 && Math.abs(e[end]) > Number.EPSILON * largest) end++;
    let off = end > l ? Math.abs(e[l]) : 0;
    for (let sweep = 0; off > Number.EPSILON * largest; sweep++) {
      if (sweep === sweeps)
        throw new LazyscopeError(
          'corrupt',
          'The eigenvalues of a matrix do not converge: it holds NaN or infinities.',
        );
      shift += shiftBy(d, e, l);
      chase(v, d, e, l, end);
      off = Math.abs(e[l]);
    }
    d[l] += shift;
    e[l] = 0;
  }
}

/** Subtracts the implicit shift, an estimate of the next eigenvalue, from the diagonal, and returns it. */
function shiftBy(d: Float64Array, e: Float64Array, l: number): number {
  const g = d[l];
  const p = (d[l + 1] - g) / (2 * e[l]);
  const r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1);
  d[l] = e[l] / (p + r);
  d[l + 1] = e[l] * (p + r);
  const h = g - d[l];
  for (let i = l + 2; i < d.length; i++) d[i] -= h;
  return h;
}

/** One QL sweep on rows l … m, whose rotations are applied to the eigenvectors too. */
function chase(v: Float64Array[], d: Float64Array, e: Float64Array, l: number, m: number): void {
  const nextDiagonal = d[l + 1];
  const nextSubdiagonal = e[l + 1];
  let p = d[m];
  let [c, c2, c3] = [1, 1, 1];
  let [s, s2] = [0, 0];
  for (let i = m - 1; i >= l; i--) {
    c3 = c2;
    c2 = c;
    s2 = s;
    const g = c * e[i];
    const h = c * p;
    const r = Math.hypot(p, e[i]);
    e[i + 1] = s * r;
    s = e[i] / r;
    c = p / r;
    p = c * d[i] - s * g;
    d[i + 1] = h + s * (c * g + s * d[i]);
    const [left, right] = [v[i], v[i + 1]];
    for (let k = 0; k < left.length; k++) {
      const t = right[k];
      right[k] = s * left[k] + c * t;
      left[k] = c * left[k] - s * t;
    }
  }
  p = (-s * s2 * c3 * nextSubdiagonal * e[l]) / nextDiagonal;
  e[l] = s * p;
  d[l] = c * p;
}
