import { sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';
import type { Values } from '../pointers.ts';
import { alignBroadcast } from './broadcast.ts';

/** An operation's place in the list is its number in source/elementwise.cc. */
const unaryNames = [
  'Exp', 'Log', 'Neg', 'Sqrt', 'Rsqrt', 'Square', 'Abs', 'Relu', 'Relu6', 'Sigmoid', 'Tanh', 'Erf', 'Softplus',
  'Sin', 'Cos', 'Step', 'Sign', 'Reciprocal', 'LeakyRelu', 'Elu', 'Selu', 'Floor', 'Ceil', 'Log1p', 'Expm1',
] as const; // prettier-ignore
export const scaleOperation = unaryNames.length;

const arithmeticNames = [
  'Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow', 'SquaredDifference',
] as const; // prettier-ignore
const comparisonNames = [
  'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr',
] as const; // prettier-ignore

/** int32 → int32 for those defined on integers; the rest leave integers to TF.js. */
const integerArithmetic = new Set(['Add', 'Sub', 'Multiply', 'Maximum', 'Minimum', 'SquaredDifference']);
const typeNumbers: Record<string, number> = { float32: 0, int32: 1, bool: 2 };

export function elementwiseKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { accumulate, binary, cast, select, unary } = library.functions;
  const kernels: NativeKernels = {};

  unaryNames.forEach((name, operation) => {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      if (x.dtype !== 'float32') return general({ inputs, attrs, backend });
      const out = backend.output(x.shape, 'float32');
      const parameter = Number(attrs?.alpha ?? 0);
      unary(operation, backend.floats(x), out.values, out.values.length, parameter);
      return out.info;
    };
  });

  const broadcasting = (operation: number, name: string, comparison: boolean) => {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { a, b } = inputs;
      const supported =
        a.dtype === b.dtype &&
        (a.dtype === 'float32' ||
          (comparison ? a.dtype in typeNumbers : a.dtype === 'int32' && integerArithmetic.has(name)));
      if (!supported) return general({ inputs, attrs, backend });
      const { shape, rank, packed } = alignBroadcast(a.shape, b.shape);
      const out = backend.output(shape, comparison ? 'bool' : a.dtype);
      if (out.values.length > 0)
        binary(
          operation,
          typeNumbers[a.dtype],
          backend.values(a),
          backend.values(b),
          out.values,
          rank,
          packed,
        );
      return out.info;
    };
  };
  arithmeticNames.forEach((name, i) => broadcasting(i, name, false));
  comparisonNames.forEach((name, i) => broadcasting(arithmeticNames.length + i, name, true));

  const generalAddN = fallback('AddN');
  kernels.AddN = (inputs, attrs) => {
    const list = Object.values(inputs);
    if (list.some((t) => t.dtype !== 'float32')) return generalAddN({ inputs, attrs, backend });
    const out = backend.output(list[0].shape, 'float32');
    out.values.set(backend.values(list[0]));
    for (const t of list.slice(1)) accumulate(backend.floats(t), out.values, out.values.length);
    return out.info;
  };

  const generalSelect = fallback('Select');
  kernels.Select = (inputs, attrs) => {
    const { condition, t, e } = inputs;
    const size = sizeOf(t.shape);
    const same = t.dtype === e.dtype && sizeOf(condition.shape) === size;
    if (condition.dtype !== 'bool' || !same || (t.dtype !== 'float32' && t.dtype !== 'int32'))
      return generalSelect({ inputs, attrs, backend });
    const out = backend.output(t.shape, t.dtype);
    select(booleans(backend.values(condition)), backend.values(t), backend.values(e), out.values, size);
    return out.info;
  };

  const generalCast = fallback('Cast');
  kernels.Cast = (inputs, attrs) => {
    const { x } = inputs;
    const to = String(attrs.dtype);
    if (x.dtype === to || !(x.dtype in typeNumbers) || !(to in typeNumbers))
      return generalCast({ inputs, attrs, backend });
    const out = backend.output(x.shape, to);
    cast(typeNumbers[x.dtype], typeNumbers[to], backend.values(x), out.values, out.values.length);
    return out.info;
  };

  return kernels;
}

/** The kernel has looked at the type already; this is for the compiler. */
function booleans(values: Values): Uint8Array {
  if (values instanceof Uint8Array) return values;
  throw new TypeError('A condition is of type bool.');
}
