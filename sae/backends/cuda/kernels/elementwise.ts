import type { Tf } from '../../../tensor/tf.ts';
import { alignBroadcast } from '../../native/kernels/broadcast.ts';
import type { KernelRequest } from '../programs.ts';
import { boxArguments } from './boxArguments.ts';
import { isStored, sizeOf, type Inputs } from '../../kernelInputs.ts';
import { across, type CudaKernels, type KernelContext } from './kernelContext.ts';

/** A function's place in a list is its number in source/elementwise.cu. */
const unaryNames = [
  'Exp', 'Log', 'Neg', 'Sqrt', 'Rsqrt', 'Square', 'Abs', 'Relu', 'Relu6', 'Sigmoid', 'Tanh', 'Erf', 'Softplus',
  'Sin', 'Cos', 'Step', 'Sign', 'Reciprocal', 'LeakyRelu', 'Elu', 'Selu', 'Floor', 'Ceil', 'Log1p', 'Expm1',
  'Round', 'Tan', 'Atan', 'ClipByValue',
] as const; // prettier-ignore
export type UnaryName = (typeof unaryNames)[number];
const testNames = ['IsNan', 'IsFinite', 'IsInf'] as const;
const arithmeticNames = [
  'Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow', 'SquaredDifference',
] as const; // prettier-ignore
const comparisonNames = [
  'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr',
] as const; // prettier-ignore

/** int32 → int32 for those defined on integers; the rest leave integers to TF.js. */
const integerArithmetic = new Set(['Add', 'Sub', 'Multiply', 'Maximum', 'Minimum', 'SquaredDifference']);

const kernel = (name: string): KernelRequest => ({ file: 'elementwise.cu', name });
const [unary, test, logicalNot, accumulate] = ['unary', 'test', 'logicalNot', 'accumulate'].map(kernel);
const arithmetic = { float32: kernel('binaryFloat'), int32: kernel('binaryInt') };
const comparison = {
  float32: kernel('compareFloat'),
  int32: kernel('compareInt'),
  bool: kernel('compareBool'),
};
const select = { float32: kernel('select'), int32: kernel('select'), bool: kernel('selectBool') };
const casts: Readonly<Record<string, KernelRequest>> = {
  'float32 int32': kernel('floatToInt'),
  'float32 bool': kernel('floatToBool'),
  'int32 float32': kernel('intToFloat'),
  'int32 bool': kernel('intToBool'),
  'bool float32': kernel('boolToFloat'),
  'bool int32': kernel('boolToInt'),
};

export function elementwiseKernels(context: KernelContext): CudaKernels {
  const { backend, fallback } = context;
  const { programs } = backend;
  const kernels: CudaKernels = {};

  for (const name of unaryNames) {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      if (x.dtype !== 'float32') return general(inputs, attrs);
      const out = backend.output(x.shape, 'float32');
      const p = Number(attrs.alpha ?? attrs.clipValueMin ?? 0);
      applyUnary(context, name, x, out.info, p, Number(attrs.clipValueMax ?? 0));
      return out.info;
    };
  }

  testNames.forEach((name, which) => {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      if (x.dtype !== 'float32') return general(inputs, attrs);
      const out = backend.output(x.shape, 'bool');
      const count = sizeOf(x.shape);
      programs.run(test, across(backend, count), [which, backend.buffer(x), out.buffer, count]);
      return out.info;
    };
  });

  const generalNot = fallback('LogicalNot');
  kernels.LogicalNot = (inputs, attrs) => {
    const { x } = inputs;
    if (x.dtype !== 'bool') return generalNot(inputs, attrs);
    const out = backend.output(x.shape, 'bool');
    const count = sizeOf(x.shape);
    programs.run(logicalNot, across(backend, count), [backend.buffer(x), out.buffer, count]);
    return out.info;
  };

  arithmeticNames.forEach((name, operation) => {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { a, b } = inputs;
      const { dtype } = a;
      const covered = dtype === 'float32' || (dtype === 'int32' && integerArithmetic.has(name));
      if (dtype !== b.dtype || !covered) return general(inputs, attrs);
      const box = boxOf(inputs, dtype === 'float32');
      if (!box) return general(inputs, attrs);
      const out = backend.output(box.shape, dtype);
      const operands = [backend.buffer(a), backend.buffer(b), out.buffer, box.count];
      programs.run(
        arithmetic[dtype],
        across(backend, box.count / box.width),
        dtype === 'float32'
          ? [operation, box.width, ...operands, ...box.args]
          : [operation, ...operands, ...box.args],
      );
      return out.info;
    };
  });

  comparisonNames.forEach((name, i) => {
    const operation = arithmeticNames.length + i;
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { a, b } = inputs;
      const box = a.dtype === b.dtype && isStored(a.dtype) ? boxOf(inputs, false) : null;
      if (!box || !isStored(a.dtype)) return general(inputs, attrs);
      const out = backend.output(box.shape, 'bool');
      programs.run(comparison[a.dtype], across(backend, box.count), [
        operation,
        backend.buffer(a),
        backend.buffer(b),
        out.buffer,
        box.count,
        ...box.args,
      ]);
      return out.info;
    };
  });

  const generalAddN = fallback('AddN');
  kernels.AddN = (inputs, attrs) => {
    const [first, ...others] = Object.values(inputs);
    if (first.dtype !== 'float32' || others.some((t) => t.dtype !== 'float32'))
      return generalAddN(inputs, attrs);
    const count = sizeOf(first.shape);
    const out = backend.output(first.shape, 'float32');
    backend.copy(backend.buffer(first), out.buffer, 4 * count);
    for (const t of others)
      programs.run(accumulate, across(backend, count), [backend.buffer(t), out.buffer, count]);
    return out.info;
  };

  const generalSelect = fallback('Select');
  kernels.Select = (inputs, attrs) => {
    const { condition, t, e } = inputs;
    const count = sizeOf(t.shape);
    const covered = condition.dtype === 'bool' && t.dtype === e.dtype && sizeOf(condition.shape) === count;
    if (!covered || !isStored(t.dtype)) return generalSelect(inputs, attrs);
    const out = backend.output(t.shape, t.dtype);
    programs.run(select[t.dtype], across(backend, count), [
      backend.buffer(condition),
      backend.buffer(t),
      backend.buffer(e),
      out.buffer,
      count,
    ]);
    return out.info;
  };

  const generalCast = fallback('Cast');
  kernels.Cast = (inputs, attrs) => {
    const { x } = inputs;
    const to = String(attrs.dtype);
    if (x.dtype === to) {
      backend.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    }
    if (!isStored(to) || !isStored(x.dtype)) return generalCast(inputs, attrs);
    const out = backend.output(x.shape, to);
    const count = sizeOf(x.shape);
    programs.run(casts[`${x.dtype} ${to}`], across(backend, count), [backend.buffer(x), out.buffer, count]);
    return out.info;
  };

  return kernels;
}

/** y = f(x), element by element; y may be x. The parameters are those of the functions that have any. */
export function applyUnary(
  { backend }: KernelContext,
  name: UnaryName,
  ...[x, y, p, q]: [x: Tf.TensorInfo, y: Tf.TensorInfo, p?: number, q?: number]
): void {
  const count = sizeOf(x.shape);
  backend.programs.run(unary, across(backend, Math.max(4, count) / 4), [
    unaryNames.indexOf(name),
    backend.buffer(x),
    backend.buffer(y),
    count,
    p ?? 0,
    q ?? 0,
  ]);
}

/** How two operands move along the result; null for more axes than the kernels have. `vectors`: four elements may go together. */
function boxOf({ a, b }: Inputs, vectors: boolean) {
  const { shape, rank, packed } = alignBroadcast(a.shape, b.shape);
  const list = Array.from(packed);
  const sizes = list.slice(0, rank);
  const strides = [list.slice(rank, 2 * rank), list.slice(2 * rank)];
  const fours = vectors && sizes[rank - 1] % 4 === 0 && strides.every((s) => s.slice(0, -1).every(isFour));
  const width = fours ? 4 : 1;
  sizes[rank - 1] /= width;
  for (const s of strides) s[rank - 1] *= width;
  const args = boxArguments(sizes, strides[0], strides[1]);
  return args && { shape, count: sizeOf(shape), width, args };
}

function isFour(stride: number): boolean {
  return stride % 4 === 0;
}
