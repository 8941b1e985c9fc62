/**
 * Replaces TF.js's kernel for matrix products. TF.js's own (4.22) adds parts of deep products with floating-point
 * atomics, in an order that changes from run to run, and is wrong where the second operand is transposed.
 */
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Tf } from '../../tensor/tf.ts';
import type { Encoder } from '../../ops/fusedKernels.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { withFloats } from './elementwise.ts';
import { HalfCopies, type Stored } from './halfCopies.ts';
import { isMatrixProduct, matrixProduct, matrixProductGroups } from './kernels/matrixProduct.ts';
import {
  type Destination,
  product,
  productGroups,
  type ProductSize,
  productSplits,
} from './kernels/product.ts';
import { joinColumns, joinGroups } from './kernels/sums.ts';
import type { Programs } from './programs.ts';
import type { RowBlock } from './rowBlocks.ts';

/** The operands of the encoder's product, and the rows of x that it is computed for. */
export interface EncoderOperands {
  readonly x: Stored;
  readonly w: Stored;
  readonly bias: Tensor1D;
  readonly block: RowBlock;
}

/** Products of operands [batch, rows, depth] and [batch, depth, columns], or transposed. An operand with a batch of one is broadcast. */
export class Products {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;
  /** The copies in 16 bits of the encoder's operands. */
  readonly copies: HalfCopies;
  /** Whether subgroups of the device multiply matrices (subgroupMatrices.ts). */
  matrices = false;

  constructor(backend: DeviceBackend, programs: Programs, copies = new HalfCopies(backend, programs)) {
    this.#backend = backend;
    this.#programs = programs;
    this.copies = copies;
  }

  /** [block.rows, latents]: (x − centre)·W_encᵀ + b_enc for a block of rows of x. */
  preActivations(x: Tensor2D, encoder: Encoder, block: RowBlock): Tensor2D {
    const count = encoder.wEnc.shape[0];
    const z = this.#backend.scratch([block.rows, count], 'float32') as Tensor2D;
    this.encode(this.encoderOperands(x, encoder, block), { first: 0, count }, [z]);
    return z;
  }

  /** The operands of this product, in 16 bits where they are kept so. */
  encoderOperands(x: Tensor2D, { wEnc, bEnc, centre }: Encoder, block: RowBlock): EncoderOperands {
    return { x: this.copies.stored(x, centre), w: this.copies.stored(wEnc), bias: bEnc, block };
  }

  /** Computes the product for some of the latents into z [rows, count], or into the operands of another destination. */
  encode(
    { x, w, bias, block }: EncoderOperands,
    { first, count }: { first: number; count: number },
    into: readonly Tensor[],
    destination?: Destination,
  ): void {
    const size: ProductSize = {
      batch: 1,
      ...block,
      columns: count,
      columnsBefore: first,
      depth: w.shape[1],
      a: { transposed: false, shared: false },
      b: { transposed: true, shared: false },
      centred: x.centre !== null,
      biased: true,
      storage: w.storage,
      splits: 1,
    };
    const operands = [x.tensor, w.tensor, ...into, ...(x.centre ? [x.centre] : []), bias];
    const [program, groups] =
      this.matrices && isMatrixProduct(size)
        ? [matrixProduct(size, destination), matrixProductGroups(size)]
        : [product(size, destination), productGroups(size)];
    this.#programs.run(program, operands, groups);
  }

  matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, bias: Tensor | null): Tensor {
    const outer = (t: Tensor) => t.shape.slice(0, -2);
    const count = (dims: readonly number[]) => dims.reduce((n, m) => n * m, 1);
    const last = (t: Tensor, transposed: boolean) => {
      const [m, n] = t.shape.slice(-2);
      return transposed ? [n, m] : [m, n];
    };
    const [rows, depth] = last(a, transposeA);
    const [, columns] = last(b, transposeB);
    const batchShape = tf.broadcast_util.assertAndGetBroadcastShape(outer(a), outer(b));
    const batch = count(batchShape);
    // Partial broadcasting repeats the operand in memory, which is slow, but no supported model needs it.
    const spread = (t: Tensor) =>
      count(outer(t)) === batch || count(outer(t)) === 1
        ? t
        : tf.broadcastTo(t, [...batchShape, ...t.shape.slice(-2)]);
    const [left, right] = [spread(a), spread(b)];
    const shape = [...batchShape, rows, columns];
    if (count(shape) === 0 || depth === 0) return tf.zeros(shape).add(bias ?? 0);
    const shared = (t: Tensor) => batch > 1 && count(outer(t)) === 1;
    const splits = productSplits(batch, rows, columns, depth);
    const size: ProductSize = {
      batch,
      rows,
      columns,
      depth,
      a: { transposed: transposeA, shared: shared(left) },
      b: { transposed: transposeB, shared: shared(right) },
      centred: false,
      biased: bias !== null && splits === 1,
      splits,
    };
    const whole = this.#backend.scratch(splits === 1 ? shape : [batch, splits, rows, columns], 'float32');
    const operands = [left, right, ...(size.biased && bias ? [bias] : [])];
    withFloats(this.#backend, this.#programs, operands, ([l, r, ...rest]) =>
      this.#programs.run(product(size), [l, r, whole, ...rest], productGroups(size)),
    );
    if (splits === 1) return whole;
    const joined = this.#backend.scratch(shape, 'float32');
    const d = rows * columns;
    this.#programs.run(
      joinColumns({ d, blocks: splits, factor: 1 }),
      [whole, joined],
      [joinGroups({ d, blocks: splits }), batch],
    );
    return bias ? joined.add(bias) : joined;
  }
}

type Inputs = Record<'a' | 'b' | 'bias' | 'preluActivationWeights', Tensor | undefined>;
interface Attributes {
  transposeA: boolean;
  transposeB: boolean;
  activation?: string;
  leakyreluAlpha?: number;
}

/** Registers these products in place of TF.js's kernels. */
export function registerProducts(products: Products): void {
  for (const kernelName of ['BatchMatMul', '_FusedMatMul']) {
    const theirs = tf.getKernel(kernelName, 'webgpu');
    if (theirs) tf.unregisterKernel(kernelName, 'webgpu');
    tf.registerKernel({
      kernelName,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, attrs }) => run(products, inputs as Inputs, attrs as unknown as Attributes),
    });
  }
}

function run(products: Products, inputs: Inputs, attributes: Attributes): Tf.TensorInfo {
  const { a, b, bias, preluActivationWeights } = inputs;
  if (!a || !b) throw new TypeError('A product needs two operands.');
  const { transposeA, transposeB, activation, leakyreluAlpha } = attributes;
  const vector = bias && bias.size === bias.shape.at(-1) ? bias : null;
  return tf.tidy(() => {
    let result = products.matMul(a, b, transposeA, transposeB, vector);
    if (bias && !vector) result = result.add(bias);
    if (activation === 'prelu' && preluActivationWeights) return tf.prelu(result, preluActivationWeights);
    if (activation === 'leakyrelu') return tf.leakyRelu(result, leakyreluAlpha);
    const known = { relu: tf.relu, relu6: tf.relu6, sigmoid: tf.sigmoid, elu: tf.elu } as const;
    return activation && activation in known ? known[activation as keyof typeof known](result) : result;
  });
}
