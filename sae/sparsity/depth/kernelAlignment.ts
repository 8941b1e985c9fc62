/**
 * Linear centred kernel alignment (Kornblith et al., 1905.00414; METHODS.md §4): how alike two representations of the
 * same tokens are, up to rotation and scale. CKA = ‖Xcᵀ Yc‖² / (‖Xcᵀ Xc‖ ‖Ycᵀ Yc‖), norms Frobenius's, columns centred.
 *
 * It accumulates second moments, so that memory grows with the square of the widths and not with the number of tokens. The
 * products of a batch are in single precision and are added up in double precision.
 */
import { LazyscopeError } from '../../errors.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf } from '../../tensor/tf.ts';

export class KernelAlignment {
  readonly #x: Side;
  readonly #y: Side;
  readonly #cross: Float64Array;
  #tokens = 0;

  /** Widths of the two representations. One-hot labels are a representation as wide as there are classes. */
  constructor(xWidth: number, yWidth: number) {
    this.#x = side(xWidth);
    this.#y = side(yWidth);
    this.#cross = new Float64Array(xWidth * yWidth);
  }

  /** Adds x [tokens, xWidth] and y [tokens, yWidth], two representations of the same tokens. */
  add(x: Float32Array, y: Float32Array): void {
    const tokens = x.length / this.#x.width;
    if (!Number.isInteger(tokens) || tokens !== y.length / this.#y.width)
      throw new LazyscopeError(
        'bad_input',
        `Kernel alignment needs the same tokens on both sides, but got ${tokens} and ${y.length / this.#y.width}.`,
      );
    const left = tf.tensor2d(x, [tokens, this.#x.width]);
    const right = tf.tensor2d(y, [tokens, this.#y.width]);
    accumulate(
      this.#cross,
      hostValues(() => tf.matMul(left, right, true)),
    );
    accumulate(
      this.#x.moments,
      hostValues(() => tf.matMul(left, left, true)),
    );
    accumulate(
      this.#y.moments,
      hostValues(() => tf.matMul(right, right, true)),
    );
    accumulate(
      this.#x.sums,
      hostValues(() => left.sum(0)),
    );
    accumulate(
      this.#y.sums,
      hostValues(() => right.sum(0)),
    );
    tf.dispose([left, right]);
    this.#tokens += tokens;
  }

  /** The CKA of all tokens added, in [0, 1]; NaN when one representation does not vary. */
  value(): number {
    const [x, y, n] = [this.#x, this.#y, this.#tokens];
    const cross = centredNorm(this.#cross, x.sums, y.sums, n);
    const xx = centredNorm(x.moments, x.sums, x.sums, n);
    const yy = centredNorm(y.moments, y.sums, y.sums, n);
    return cross ** 2 / (xx * yy);
  }
}

interface Side {
  readonly width: number;
  readonly moments: Float64Array;
  readonly sums: Float64Array;
}

function side(width: number): Side {
  return { width, moments: new Float64Array(width * width), sums: new Float64Array(width) };
}

function accumulate(into: Float64Array, values: Float32Array): void {
  for (let at = 0; at < into.length; at++) into[at] += values[at];
}

/** ‖AᵀB − (ΣA)(ΣB)ᵀ/n‖: the Frobenius norm of the centred product, from moments AᵀB, sums ΣA and ΣB, and the number of tokens n. */
function centredNorm(moments: Float64Array, a: Float64Array, b: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0, at = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++, at++) sum += (moments[at] - (a[i] * b[j]) / n) ** 2;
  return Math.sqrt(sum);
}
