/**
 * The pure fused kernels as TF.js ops with gradients. A code travels as three tensors (rowStart, indices, values);
 * values, weights and inputs are differentiable, the choice of latents is not.
 *
 * For a sparse matrix S with values v at fixed places: decode S·W has ∂v = dots(∂y, W) and ∂W = outer(∂y);
 * dots(g, W) has ∂g = decode(∂v) and ∂W = outer(g), both with ∂v as values; outer Sᵀ·g has ∂v = dots(g, ∂y) and
 * ∂g = decode(∂y). An encoder is `dots` at the places it chose, plus b.
 */
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Encoder, FusedKernels } from './fusedKernels.ts';
import { type SparseEntries, firingEntries } from './sparseEntries.ts';

const op = {
  topK: 'LazyscopeTopKEncode',
  threshold: 'LazyscopeThresholdEncode',
  decode: 'LazyscopeSparseDecode',
  dots: 'LazyscopeSparseDots',
  outer: 'LazyscopeSparseOuter',
} as const;

type Named = Record<string, unknown>;
const matrix = (inputs: Named, name: string) => inputs[name] as Tensor2D;
const vector = (inputs: Named, name: string) => inputs[name] as Tensor1D;

function entriesOf(latents: number, rowStart: Tensor1D, indices: Tensor1D, values: Tensor1D): SparseEntries {
  return { kind: 'sparse', rows: rowStart.shape[0] - 1, latents, rowStart, indices, values };
}

/** Registers the table's pure kernels with TF.js for one backend. */
export function registerFusedOps(kernels: FusedKernels, backendName: string): void {
  const register = (kernelName: string, run: (inputs: Named, attrs: Named) => Tensor | Tensor[]) => {
    if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => run(inputs, attrs ?? {}),
    });
  };
  const encoder = (inputs: Named): Encoder => ({
    wEnc: matrix(inputs, 'wEnc'),
    bEnc: vector(inputs, 'bEnc'),
    centre: null,
  });
  const entries = (inputs: Named, latents: number) =>
    entriesOf(latents, vector(inputs, 'rowStart'), vector(inputs, 'indices'), vector(inputs, 'values'));

  register(op.topK, (inputs, { k }) => {
    const code = kernels.topKEncode(matrix(inputs, 'x'), encoder(inputs), Number(k));
    return [code.values, code.rowStart, code.indices];
  });
  register(op.threshold, (inputs) => {
    const threshold = vector(inputs, 'threshold');
    const found = kernels.thresholdEncode(matrix(inputs, 'x'), encoder(inputs), { threshold, bandwidth: 0 });
    const code = firingEntries(found, threshold);
    return [code.values, code.rowStart, code.indices];
  });
  register(op.decode, (inputs) => {
    const w = matrix(inputs, 'w');
    return kernels.sparseDecode(entries(inputs, w.shape[0]), w);
  });
  register(op.dots, (inputs) => {
    const w = matrix(inputs, 'w');
    return kernels.sparseDots(
      entries({ ...inputs, values: inputs.indices }, w.shape[0]),
      matrix(inputs, 'g'),
      w,
    );
  });
  register(op.outer, (inputs, { latents }) =>
    kernels.sparseOuter(entries(inputs, Number(latents)), matrix(inputs, 'g')),
  );
  registerGradients();
}

/** Zero gradients of rowStart and indices. TF.js asks for them, in float32, because both come from an op that has a gradient. */
const fixed = ({ rowStart, indices }: SparseEntries) => ({
  rowStart: () => tf.zeros(rowStart.shape),
  indices: () => tf.zeros(indices.shape),
});

let gradientsRegistered = false;
function registerGradients(): void {
  if (gradientsRegistered) return;
  gradientsRegistered = true;
  for (const kernelName of [op.topK, op.threshold])
    tf.registerGradient({
      kernelName,
      inputsToSave: ['x', 'wEnc'],
      outputsToSave: [true, true, true],
      gradFunc: (dy, [x, wEnc, values, rowStart, indices]) => {
        // Padding entries of TopK are 0 whatever z is, so no gradient passes through them.
        const moving = () => tf.mul((dy as Tensor[])[0], tf.notEqual(values, 0).cast('float32'));
        const gradient = () =>
          entriesOf(wEnc.shape[0], rowStart as Tensor1D, indices as Tensor1D, moving() as Tensor1D);
        return {
          x: () => sparseDecode(gradient(), wEnc as Tensor2D),
          wEnc: () => sparseOuter(gradient(), x as Tensor2D),
          bEnc: () => sparseOuter(gradient(), tf.ones([x.shape[0], 1])).squeeze([1]),
          threshold: () => tf.zeros([wEnc.shape[0]]),
        };
      },
    });
  tf.registerGradient({
    kernelName: op.decode,
    inputsToSave: ['rowStart', 'indices', 'values', 'w'],
    gradFunc: (dy, saved) => {
      const [rowStart, indices, values, w] = saved as [Tensor1D, Tensor1D, Tensor1D, Tensor2D];
      const code = entriesOf(w.shape[0], rowStart, indices, values);
      return {
        ...fixed(code),
        values: () => sparseDots(code, dy as Tensor2D, w),
        w: () => sparseOuter(code, dy as Tensor2D),
      };
    },
  });
  tf.registerGradient({
    kernelName: op.dots,
    inputsToSave: ['rowStart', 'indices', 'g', 'w'],
    gradFunc: (dy, saved) => {
      const [rowStart, indices, g, w] = saved as [Tensor1D, Tensor1D, Tensor2D, Tensor2D];
      const code = entriesOf(w.shape[0], rowStart, indices, dy as Tensor1D);
      return { ...fixed(code), g: () => sparseDecode(code, w), w: () => sparseOuter(code, g) };
    },
  });
  tf.registerGradient({
    kernelName: op.outer,
    inputsToSave: ['rowStart', 'indices', 'values', 'g'],
    gradFunc: (dy, saved) => {
      const [rowStart, indices, values, g] = saved as [Tensor1D, Tensor1D, Tensor1D, Tensor2D];
      const code = entriesOf((dy as Tensor2D).shape[0], rowStart, indices, values);
      return {
        ...fixed(code),
        values: () => sparseDots(code, g, dy as Tensor2D),
        g: () => sparseDecode(code, dy as Tensor2D),
      };
    },
  });
}

/** TopK(ReLU(x·W_encᵀ + b)) as entries; differentiable in x, W_enc and b through `values`. */
export function topKEncode(x: Tensor2D, wEnc: Tensor2D, bEnc: Tensor1D, k: number): SparseEntries {
  const [values, rowStart, indices] = run<Tensor1D[]>(op.topK, { x, wEnc, bEnc }, { k });
  return entriesOf(wEnc.shape[0], rowStart, indices, values);
}

/** The latents with z > θ as entries; differentiable in x, W_enc and b. The straight-through estimators for θ belong to the loss. */
export function thresholdEncode(
  x: Tensor2D,
  wEnc: Tensor2D,
  bEnc: Tensor1D,
  threshold: Tensor1D,
): SparseEntries {
  const [values, rowStart, indices] = run<Tensor1D[]>(op.threshold, { x, wEnc, bEnc, threshold });
  return entriesOf(wEnc.shape[0], rowStart, indices, values);
}

/** S·W [rows, d]; differentiable in the values of S and in W. */
export function sparseDecode({ rowStart, indices, values }: SparseEntries, w: Tensor2D): Tensor2D {
  return run(op.decode, { rowStart, indices, values, w });
}

/** [entries]: g·Wᵀ at the places of the entries; differentiable in g and W. */
export function sparseDots({ rowStart, indices }: SparseEntries, g: Tensor2D, w: Tensor2D): Tensor1D {
  return run(op.dots, { rowStart, indices, g, w });
}

/** Sᵀ·g [latents, d]; differentiable in the values of S and in g. */
export function sparseOuter({ rowStart, indices, values, latents }: SparseEntries, g: Tensor2D): Tensor2D {
  return run(op.outer, { rowStart, indices, values, g }, { latents });
}

function run<T extends Tensor | Tensor[]>(
  kernelName: string,
  inputs: Record<string, Tensor>,
  attrs: Record<string, number> = {},
): T {
  return tf.engine().runKernel<T>(kernelName, inputs, attrs);
}
