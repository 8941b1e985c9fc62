/** Types of numbers that activations and tokens are stored in, by NumPy's letters and by those of safetensors. */
import { bfloat16ToFloat32 } from '../bfloat16.ts';
import { float16ToFloat32 } from '../float16.ts';

export interface NumberType {
  bytes: number;
  numbers: 'float' | 'integer';
  /** Rounded to float32. The buffer holds whole items. */
  floats(buffer: ArrayBuffer): Float32Array;
  /** As they are; of integers alone. */
  integers(buffer: ArrayBuffer): ArrayLike<number>;
}

const noIntegers = () => {
  throw new Error('these numbers are not whole');
};

function floating(bytes: number, floats: NumberType['floats']): NumberType {
  return { bytes, numbers: 'float', floats, integers: noIntegers };
}
function whole(bytes: number, integers: NumberType['integers']): NumberType {
  return { bytes, numbers: 'integer', floats: (buffer) => Float32Array.from(integers(buffer)), integers };
}

export const numberTypes = {
  f16: floating(2, (buffer) => float16ToFloat32(new Uint16Array(buffer))),
  bf16: floating(2, (buffer) => bfloat16ToFloat32(new Uint16Array(buffer))),
  f32: floating(4, (buffer) => new Float32Array(buffer)),
  f64: floating(8, (buffer) => Float32Array.from(new Float64Array(buffer))),
  u8: whole(1, (buffer) => new Uint8Array(buffer)),
  u16: whole(2, (buffer) => new Uint16Array(buffer)),
  i16: whole(2, (buffer) => new Int16Array(buffer)),
  i32: whole(4, (buffer) => new Int32Array(buffer)),
  u32: whole(4, (buffer) => new Uint32Array(buffer)),
  i64: whole(8, (buffer) => Float64Array.from(new BigInt64Array(buffer), Number)),
  u64: whole(8, (buffer) => Float64Array.from(new BigUint64Array(buffer), Number)),
} satisfies Record<string, NumberType>;

const bySafetensors: Readonly<Record<string, NumberType>> = {
  F16: numberTypes.f16, BF16: numberTypes.bf16, F32: numberTypes.f32, F64: numberTypes.f64, U8: numberTypes.u8,
  U16: numberTypes.u16, I16: numberTypes.i16, I32: numberTypes.i32, U32: numberTypes.u32, I64: numberTypes.i64,
  U64: numberTypes.u64,
}; // prettier-ignore
const byNumpy: Readonly<Record<string, NumberType>> = {
  '<f2': numberTypes.f16, '<f4': numberTypes.f32, '<f8': numberTypes.f64, '|u1': numberTypes.u8,
  '<u2': numberTypes.u16, '<i2': numberTypes.i16, '<i4': numberTypes.i32, '<u4': numberTypes.u32,
  '<i8': numberTypes.i64, '<u8': numberTypes.u64,
}; // prettier-ignore

/** Undefined for a type that neither activations nor tokens are stored in. */
export const safetensorsType = (dtype: string): NumberType | undefined =>
  Object.hasOwn(bySafetensors, dtype) ? bySafetensors[dtype] : undefined;
export const numpyType = (descriptor: string): NumberType | undefined =>
  Object.hasOwn(byNumpy, descriptor) ? byNumpy[descriptor] : undefined;
