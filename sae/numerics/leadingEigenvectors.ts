/**
 * The eigenvectors of the largest eigenvalues of a symmetric matrix, in double precision, for a fraction of what all of them cost:
 * Householder reduction to tridiagonal form, eigenvalues by bisection with Sturm counts, eigenvectors by inverse iteration, each
 * orthogonal to those before it (Golub & Van Loan, Matrix Computations, §8.3 and §8.4; LAPACK's stebz and stein).
 */
import { LazyscopeError } from '../errors.ts';
import { finish, type Steps } from '../steps.ts';
import { Random } from './random.ts';
import type { SymmetricEigen } from './symmetricEigen.ts';

interface Tridiagonal {
  diagonal: Float64Array;
  /** [n − 1]: below (and above) the diagonal. */
  off: Float64Array;
  /** Reflection k is 1 − scale·v vᵀ; v begins at entry k + 1. */
  reflections: { v: Float64Array; scale: number }[];
}

/**
 * The `count` largest eigenvalues of a [n, n], descending, and their unit eigenvectors [count, n]. Only the lower triangle is read.
 * Throws 'corrupt' for entries that are not finite.
 */
export function leadingEigenvectors(a: ArrayLike<number>, n: number, count: number): SymmetricEigen {
  const reduced = finish(reduceSteps(a, n));
  const values = reduced.largest(count);
  return { values, vectors: finish(reduced.vectorSteps(values)) };
}

/** A symmetric matrix after its reduction, which is most of the work: eigenvalues of it cost little, and eigenvectors as much as there are of them. */
export interface ReducedSymmetric {
  /** The `count` largest eigenvalues, descending. */
  largest(count: number): Float64Array;
  /** Unit eigenvectors [values.length, n] of the largest eigenvalues. */
  vectorSteps(values: Float64Array): Steps<Float64Array>;
}

/** Reduces a [n, n], of which only the lower triangle is read, in steps. Throws 'corrupt' for entries that are not finite. */
export function* reduceSteps(a: ArrayLike<number>, n: number): Steps<ReducedSymmetric> {
  const reduced = yield* tridiagonalSteps(a, n);
  const { diagonal, off, reflections } = reduced;
  const size = gershgorin(reduced);
  if (!Number.isFinite(size))
    throw new LazyscopeError('corrupt', 'A matrix holds NaN or infinities, and has no eigenvalues.');
  return {
    largest: (count) => Float64Array.from({ length: count }, (_, i) => eigenvalue(reduced, size, n - 1 - i)),
    *vectorSteps(values) {
      const random = Random.fromSeed(0, 'inverse iteration');
      const vectors = new Float64Array(values.length * n);
      for (let i = 0; i < values.length; i++) {
        const vector = vectors.subarray(i * n, (i + 1) * n);
        for (let k = 0; k < n; k++) vector[k] = random.normal();
        // A start has a share of every eigenvector, of which each solve enlarges the wanted one about 1/ε times.
        for (let round = 0; round < 3; round++) {
          if (size > 0) solveShifted(diagonal, off, values[i], size, vector);
          orthonormalise(vectors, n, i);
        }
        yield;
      }
      for (let i = 0; i < values.length; i++) {
        const vector = vectors.subarray(i * n, (i + 1) * n);
        for (let k = reflections.length - 1; k >= 0; k--) reflect(vector, reflections[k], k + 1);
        yield;
      }
      return vectors;
    },
  };
}

function* tridiagonalSteps(a: ArrayLike<number>, n: number): Steps<Tridiagonal> {
  // Rows of the lower triangle: row i has entries 0 … i. The last rows and columns are reduced first, which leaves the rest in place.
  const rows = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: i + 1 }, (_, j) => a[(n - 1 - j) * n + (n - 1 - i)]),
  );
  const diagonal = new Float64Array(n);
  const off = new Float64Array(Math.max(0, n - 1));
  const reflections: Tridiagonal['reflections'] = [];
  for (let k = 0; k < n; k++) {
    const m = n - 1 - k;
    diagonal[k] = rows[m][m];
    if (m === 0) break;
    // Entry k + 1 of the original order is the last of the remaining ones here.
    const x = rows[m].slice(0, m);
    const norm = Math.sqrt(dot(x, x, m));
    const head = x[m - 1];
    off[k] = head > 0 ? -norm : norm;
    const scale = norm === 0 ? 0 : 1 / (norm * (norm + Math.abs(head)));
    x[m - 1] = head - off[k];
    if (scale > 0) update(rows, x, m, scale);
    reflections.push({ v: x.reverse(), scale });
    yield;
  }
  return { diagonal, off, reflections };
}

/** A ← (1 − s·v vᵀ) A (1 − s·v vᵀ) on the first m rows of the lower triangle. */
function update(rows: Float64Array[], v: Float64Array, m: number, scale: number): void {
  const p = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    const row = rows[i];
    const vi = v[i];
    let sum = row[i] * vi;
    for (let j = 0; j < i; j++) {
      sum += row[j] * v[j];
      p[j] += row[j] * vi;
    }
    p[i] += sum;
  }
  const half = (scale * scale * dot(p, v, m)) / 2;
  for (let i = 0; i < m; i++) p[i] = scale * p[i] - half * v[i];
  for (let i = 0; i < m; i++) {
    const row = rows[i];
    const [vi, pi] = [v[i], p[i]];
    for (let j = 0; j <= i; j++) row[j] -= vi * p[j] + pi * v[j];
  }
}

/** A bound on the size of every eigenvalue. */
function gershgorin({ diagonal, off }: Tridiagonal): number {
  let size = 0;
  for (let i = 0; i < diagonal.length; i++) {
    // Math.max gives NaN once an entry is NaN.
    size = Math.max(size, Math.abs(diagonal[i]) + Math.abs(off[i - 1] ?? 0) + Math.abs(off[i] ?? 0));
  }
  return size;
}

/** The eigenvalue with `below` others below it, by bisection. */
function eigenvalue(matrix: Tridiagonal, size: number, below: number): number {
  let [low, high] = [-size, size];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high || high - low <= Number.EPSILON * size) return middle;
    if (countBelow(matrix, middle) > below) high = middle;
    else low = middle;
  }
}

/** Sturm count: how many eigenvalues are below x. */
function countBelow({ diagonal, off }: Tridiagonal, x: number): number {
  let count = 0;
  let q = 1;
  for (let i = 0; i < diagonal.length; i++) {
    const e = i === 0 ? 0 : off[i - 1];
    q = diagonal[i] - x - (e * e) / q;
    if (q === 0) q = Number.MIN_VALUE ** 0.5;
    if (q < 0) count++;
  }
  return count;
}

/** Solves (T − λ) y = b in place of b, by elimination with partial pivoting; a pivot of 0 becomes ε. */
function solveShifted(
  diagonal: Float64Array,
  off: Float64Array,
  shift: number,
  size: number,
  b: Float64Array,
): void {
  const n = b.length;
  const tiny = Number.EPSILON * size;
  const [first, second, third] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  // The row being eliminated: entries at i and i + 1.
  let [p, q] = [diagonal[0] - shift, off[0] ?? 0];
  for (let i = 0; i + 1 < n; i++) {
    const [below, next, after] = [off[i], diagonal[i + 1] - shift, off[i + 1] ?? 0];
    if (Math.abs(below) > Math.abs(p)) {
      const factor = p / below;
      [first[i], second[i], third[i]] = [below, next, after];
      [p, q] = [q - factor * next, -factor * after];
      [b[i], b[i + 1]] = [b[i + 1], b[i] - factor * b[i + 1]];
    } else {
      if (Math.abs(p) < tiny) p = tiny;
      const factor = below / p;
      [first[i], second[i], third[i]] = [p, q, 0];
      [p, q] = [next - factor * q, after];
      b[i + 1] -= factor * b[i];
    }
  }
  first[n - 1] = Math.abs(p) < tiny ? tiny : p;
  for (let i = n - 1; i >= 0; i--) {
    const known = second[i] * (b[i + 1] ?? 0) + third[i] * (b[i + 2] ?? 0);
    b[i] = (b[i] - known) / first[i];
  }
}

/** Makes row i orthogonal to the rows before it, twice against rounding, and of norm 1. */
function orthonormalise(vectors: Float64Array, n: number, i: number): void {
  const vector = vectors.subarray(i * n, (i + 1) * n);
  for (let pass = 0; pass < 2; pass++) {
    scaleToUnit(vector);
    for (let j = 0; j < i; j++) {
      const other = vectors.subarray(j * n, (j + 1) * n);
      const along = dot(vector, other, n);
      for (let k = 0; k < n; k++) vector[k] -= along * other[k];
    }
  }
  scaleToUnit(vector);
}

function scaleToUnit(vector: Float64Array): void {
  // Divided by the largest entry first, whose square might be beyond every number.
  const largest = vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (let k = 0; k < vector.length; k++) vector[k] /= largest;
  const norm = Math.sqrt(dot(vector, vector, vector.length));
  for (let k = 0; k < vector.length; k++) vector[k] /= norm;
}

function reflect(vector: Float64Array, { v, scale }: { v: Float64Array; scale: number }, from: number): void {
  const part = vector.subarray(from);
  const along = scale * dot(part, v, v.length);
  for (let k = 0; k < v.length; k++) part[k] -= along * v[k];
}

function dot(a: Float64Array, b: Float64Array, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}
