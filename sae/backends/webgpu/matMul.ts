/**
 * Matrix products of TF.js on our own kernel. TF.js's splits deep products of small results by adding floats with
 * atomics, in an order that changes from run to run, and wrongly where the second operand is transposed (4.22).
 */
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Tf } from '../../tensor/tf.ts';
import type { Encoder } from '../../ops/fusedKernels.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { toHalf, toHalfGroups } from './kernels/half.ts';
import { product, productGroups, type ProductSize, productSplits } from './kernels/product.ts';
import { joinColumns } from './kernels/sums.ts';
import type { Programs } from './programs.ts';

/** How the encoder's product finds its operands in memory. */
export type Storage = 'f32' | 'f16';

/** Operands [batch, rows, depth] and [batch, depth, columns], or transposed; a batch of one goes with any other. */
export class Products {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;
  /** 'f16' only where the device has the feature `shader-f16`. */
  storage: Storage;

  constructor(backend: DeviceBackend, programs: Programs, storage: Storage = 'f32') {
    this.#backend = backend;
    this.#programs = programs;
    this.storage = storage;
  }

  /**
   * (x − centre)·Wᵀ + b [rows, latents], for any number of blocks of rows: W is brought into the form it is stored in
   * once. A scope around owns that form.
   */
  preActivations({ wEnc, bEnc, centre }: Encoder): (x: Tensor2D) => Tensor2D {
    if (this.storage === 'f32') return (x) => this.#encode(x, wEnc, bEnc, centre);
    const w = this.#halves(wEnc, null);
    return (x) =>
      tf.tidy(() => this.#encode(this.#halves(x, centre), w, bEnc, null, [x.shape[0], ...wEnc.shape]));
  }

  /** x − centre in 16 bits, two numbers an element. */
  #halves(x: Tensor2D, centre: Tensor1D | null): Tensor {
    const [rows, d] = x.shape;
    const halves = this.#backend.scratch([Math.ceil((rows * d) / 2)], 'int32');
    const program = toHalf({ rows, d, centred: centre !== null });
    this.#programs.run(program, [x, halves, ...(centre ? [centre] : [])], toHalfGroups(rows, d));
    return halves;
  }

  /** `sizes`: rows, latents and d of operands in 16 bits. */
  #encode(
    x: Tensor,
    wEnc: Tensor,
    bEnc: Tensor1D,
    centre: Tensor1D | null,
    sizes?: [number, number, number],
  ): Tensor2D {
    const [rows, columns, depth] = sizes ?? [x.shape[0], wEnc.shape[0], x.shape[1] ?? 0];
    const size = {
      batch: 1,
      rows,
      columns,
      depth,
      a: { transposed: false, shared: false },
      b: { transposed: true, shared: false },
    };
    const half = sizes !== undefined;
    const program = { ...size, centred: centre !== null, biased: true, splits: 1, half };
    const z = this.#backend.scratch([rows, columns], 'float32') as Tensor2D;
    this.#programs.run(
      product(program),
      [x, wEnc, z, ...(centre ? [centre] : []), bEnc],
      productGroups(program),
    );
    return z;
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
    // A batch that only partly matches is repeated in memory: no model of ours has one.
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
    this.#programs.run(
      product(size),
      [left, right, whole, ...(size.biased && bias ? [bias] : [])],
      productGroups(size),
    );
    if (splits === 1) return whole;
    const joined = this.#backend.scratch(shape, 'float32');
    const d = rows * columns;
    this.#programs.run(
      joinColumns({ d, blocks: splits, factor: 1 }),
      [whole, joined],
      [Math.ceil(d / 64), batch],
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

/** Puts our product in the place of TF.js's. */
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
