/**
 * Numbers in 16 bits (IEEE binary16: 11 significant bits, from 6·10⁻⁵ to 65,504) beside those in 32. A kernel declares how
 * an operand is stored by the type of its binding's elements, `Storage` in programs.ts, and reads either as `f32(x[i])`.
 */
import type { Program } from '../programs.ts';
import { threadsFor } from './sparse.ts';
import { remembered } from '../remembered.ts';

const threads = 256;

/**
 * WGSL that rounds a number to 16 bits. Numbers that are not finite or too large become NaN, so that diverging training and
 * invalid activations are noticed. It tests bits, because WGSL lets compilers assume that floats are neither NaN nor
 * infinite.
 */
export const narrow = `
fn narrow(value: f32) -> f16 {
  let fits = (bitcast<u32>(value) & 0x7fffffffu) <= 0x477fe000u; // 65504.0
  let bits = bitcast<u32>(vec2<f16>(f16(value), f16(0.0)));
  return bitcast<vec2<f16>>(select(0x7e00u, bits, fits)).x;
}`;

/** out [rows, d]: x − centre in 16 bits. */
export const toHalf = remembered((size: { rows: number; d: number; centred: boolean }): Program => {
  const { rows, d, centred } = size;
  return {
    label: 'toHalf',
    bindings: [
      ['x', 'read', 'f32'],
      ['out', 'write', 'f16'],
      ...(centred ? [['centre', 'read', 'f32'] as const] : []),
    ],
    uniforms: { count: ['u32', rows * d], d: ['u32', d] },
    threads,
    functions: narrow,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.count) { return; }
  out[i] = narrow(x[i] ${centred ? '- centre[i % u.d]' : ''});`,
  };
});

/** Number of workgroups of `toHalf`. */
export const toHalfGroups = (rows: number, d: number) => Math.ceil((rows * d) / threads);

/**
 * Converts rows of an error to 16 bits, [all, d], each divided by a power of two, its unit; the units [all] follow the rows in
 * memory. Rows `firstRow` and following of both are written.
 *
 * The range of errors is not known in advance: on scaled activations their elements start at 1/√d to 1 and shrink during training,
 * but a token whose norm is a thousand times that of others (often the first one of a text) has errors as large. A
 * row's unit brings its largest element to 2¹⁴ … 2¹⁵ if that is between 1 and 2³⁰; smaller elements are multiplied by
 * 2¹⁴.
 */
export const errorToHalf = remembered(
  (size: { rows: number; d: number; firstRow: number; all: number }): Program => {
    const { rows, d, firstRow, all } = size;
    const threads = threadsFor(d);
    return {
      label: 'errorToHalf',
      bindings: [
        ['error', 'read', 'f32'],
        ['out', 'write', 'f16'],
      ],
      uniforms: {
        rows: ['u32', rows],
        d: ['u32', d],
        firstRow: ['u32', firstRow],
        units: ['u32', errorUnits(all, d)],
      },
      threads,
      each: ['row', 'u.rows'],
      functions: `${narrow}
var<workgroup> largest: atomic<u32>;`,
      body: `
  let to = u.firstRow + row;
  // The bits of positive floats, read as integers, are in the order of the floats.
  var own = 0u;
  for (var column = thread; column < u.d; column += ${threads}u) {
    own = max(own, bitcast<u32>(error[row * u.d + column]) & 0x7fffffffu);
  }
  atomicMax(&largest, own);
  workgroupBarrier();
  let exponent = i32(atomicLoad(&largest) >> 23u) - 127;
  let power = clamp(exponent - 14, -14, 15);
  let factor = bitcast<f32>(u32(127 - power) << 23u);
  for (var column = thread; column < u.d; column += ${threads}u) {
    out[to * u.d + column] = narrow(error[row * u.d + column] * factor);
  }
  if (thread == 0u) { out[u.units + to] = bitcast<vec2<f16>>(u32(power + 15) << 10u).x; }`,
    };
  },
);

/** Where the units of `rows` rows of errors begin. */
export const errorUnits = (rows: number, d: number) => rows * d;
