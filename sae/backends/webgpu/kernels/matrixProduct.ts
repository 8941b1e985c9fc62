/**
 * The encoder's product from 16-bit copies on a device whose subgroups multiply whole matrices (tensor cores): 16 × 16 of each operand
 * at a time, with sums in 32 bits. WGSL has them as an experimental extension, of which this is all that is used.
 *
 * A workgroup computes 128 × 128 elements. Its eight subgroups of 32 threads share slices of both operands in workgroup memory, and each has
 * 32 × 64 of the sums. Slices are read and stored as vectors of eight numbers, four to a row, and a fifth that is left empty, so that
 * rows begin in different banks of the memory.
 *
 * The plain twin computes the same from the same slices without the extension. It is for tests: drivers that compute on the processor
 * lack the extension, and everything but three calls is checked by it.
 */
import type { Program } from '../programs.ts';
import { type Destination, matrix, type ProductSize } from './product.ts';
import { remembered } from '../remembered.ts';

const tile = 128;
const threads = 256;
const lanes = 32;
/** Numbers of the depth in workgroup memory at a time, vectors that hold them, and vectors from one row to the next. */
const slice = 32;
const vectors = slice / 8;
const stride = vectors + 1;
/** Rows and columns of the matrices that a subgroup multiplies. */
const unit = 16;
/** Such matrices of sums that a subgroup has. */
const down = 2;
const across = 4;

/** Bytes of workgroup memory: both slices, and a matrix of results for each subgroup. */
export const matrixProductBytes = 2 * tile * stride * 16 + (threads / lanes) * unit * unit * 4;

/** Whether the product is one that this kernel computes: the encoder's, from copies whose rows are whole vectors. */
export const isMatrixProduct = ({ storage, centred, a, b, depth, splits }: ProductSize) =>
  storage === 'f16' && !centred && !a.transposed && b.transposed && depth % 8 === 0 && splits === 1;

export const matrixProductGroups = ({ batch, rows, columns }: ProductSize) =>
  batch * Math.ceil(rows / tile) * Math.ceil(columns / tile);

/** c [rows, columns] = a·bᵀ + bias. Operands as those of `product`. `means` says by what matrices are multiplied. */
export const matrixProduct = remembered(
  (size: ProductSize, to: Destination = matrix, means: 'subgroups' | 'plain' = 'subgroups'): Program => {
    const { batch, rows, firstRow = 0, columns, columnsBefore = 0, depth, a, b, biased } = size;
    const form = means === 'subgroups' ? subgroupForm : plainForm;
    const each = <T>(line: (i: number, j: number) => T) =>
      Array.from({ length: down * across }, (_, n) => line(Math.floor(n / across), n % across));
    const load = (name: string, from: string, first: string, end: string) =>
      [0, 1]
        .map((n) => {
          const row = `(${first} + mine + ${n * 64}u)`;
          return `${name}${n} = select(vec4<u32>(), ${from}[(base_${from} + ${row} * u.depth + k) / 8u + deep], (${row} < ${end}) & (k + deep * 8u < u.depth));`;
        })
        .join('\n    ');
    const loads = `${load('p', 'a', 'firstRow', 'u.rows')}
    ${load('q', 'b', 'firstColumn', 'u.columns')}`;
    return {
      label: `${to.label}OfHalfMatrices`,
      directives: form.directives,
      bindings: [
        ['a', 'read', 'vec4<u32>'],
        ['b', 'read', 'vec4<u32>'],
        ...to.bindings,
        ...(biased ? [['bias', 'read', 'f32'] as const] : []),
      ],
      uniforms: {
        groups: ['u32', batch],
        rows: ['u32', rows],
        columns: ['u32', columns],
        depth: ['u32', depth],
        startA: ['u32', firstRow * depth],
        strideA: ['u32', a.shared ? 0 : rows * depth],
        strideB: ['u32', b.shared ? 0 : columns * depth],
        columnsBefore: ['u32', columnsBefore],
        ...to.uniforms,
      },
      threads,
      functions: `
var<workgroup> left: array<vec4<u32>, ${tile * stride}>;
var<workgroup> right: array<vec4<u32>, ${tile * stride}>;
var<workgroup> results: array<f32, ${(threads / lanes) * unit * unit}>;
${form.functions}
${to.functions}`,
      body: `
  let wide = (u.columns + ${tile - 1}u) / ${tile}u;
  let tiles = wide * ((u.rows + ${tile - 1}u) / ${tile}u);
  let which = groupIndex / tiles;
  if (which >= u.groups) { return; }
  let firstRow = (groupIndex % tiles / wide) * ${tile}u;
  let firstColumn = (groupIndex % wide) * ${tile}u;
  let base_a = u.startA + which * u.strideA;
  let base_b = which * u.strideB + u.columnsBefore * u.depth;
  let subgroup = thread / ${lanes}u;
  let lane = thread % ${lanes}u;
  // Where the subgroup's sums begin in the tile.
  let top = subgroup / 2u * ${down * unit}u;
  let side = subgroup % 2u * ${across * unit}u;
  // A thread loads a vector of each of two rows of both operands.
  let mine = thread / ${vectors}u;
  let deep = thread % ${vectors}u;
  var k = 0u;
  var p0: vec4<u32>; var p1: vec4<u32>; var q0: vec4<u32>; var q1: vec4<u32>;
${each((i, j) => `  var sum${i}_${j}: ${form.sums};`).join('\n')}
    ${loads}
  loop {
    if (k >= u.depth) { break; }
    workgroupBarrier();
    left[mine * ${stride}u + deep] = p0;
    left[(mine + 64u) * ${stride}u + deep] = p1;
    right[mine * ${stride}u + deep] = q0;
    right[(mine + 64u) * ${stride}u + deep] = q1;
    workgroupBarrier();
    k += ${slice}u;
    ${loads}
    for (var step = 0u; step < ${vectors}u; step += 2u) {
${form.multiply(each).join('\n')}
    }
  }
  let own = subgroup * ${unit * unit}u;
${each(
  (i, j) => `  workgroupBarrier();
  ${form.store(`sum${i}_${j}`)}
  workgroupBarrier();
  for (var e = lane; e < ${unit * unit}u; e += ${lanes}u) {
    let row = firstRow + top + ${i * unit}u + e / ${unit}u;
    let column = firstColumn + side + ${j * unit}u + e % ${unit}u;
    if (row < u.rows && column < u.columns) {
      ${to.row}
      let result = results[own + e] ${biased ? '+ bias[u.columnsBefore + column]' : ''};
      ${to.store}
    }
  }`,
).join('\n')}`,
    };
  },
);

type Each = <T>(line: (i: number, j: number) => T) => T[];

/** How a subgroup multiplies matrices and stores its sums: WGSL, in which `step` is the first of two vectors of the depth. */
interface Form {
  readonly directives: readonly string[];
  readonly functions: string;
  readonly sums: string;
  multiply(each: Each): string[];
  store(sum: string): string;
}

const row = (first: string, i: number) => `(${first} + ${i * unit}u) * ${stride}u + step`;

const subgroupForm: Form = {
  // WGSL can't prove that the number of a thread's subgroup is the same for all of it, which subgroups.ts tests on the device.
  directives: [
    'enable chromium_experimental_subgroup_matrix;',
    'enable f16;',
    'diagnostic(off, chromium.subgroup_matrix_uniformity);',
  ],
  functions: '',
  sums: `subgroup_matrix_result<f32, ${unit}, ${unit}>`,
  multiply: (each) => [
    ...[0, 1].map(
      (i) =>
        `      let l${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${unit}, ${unit}>, row_major>(&left, ${row('top', i)}, ${stride}u);`,
    ),
    ...[0, 1, 2, 3].map(
      (j) =>
        `      let r${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${unit}, ${unit}>, col_major>(&right, ${row('side', j)}, ${stride}u);`,
    ),
    ...each((i, j) => `      sum${i}_${j} = subgroupMatrixMultiplyAccumulate(l${i}, r${j}, sum${i}_${j});`),
  ],
  store: (sum) => `subgroupMatrixStore<row_major>(&results, own, ${sum}, ${unit}u);`,
};

/** Each thread has eight neighbours of a row of each matrix of sums. */
const plainForm: Form = {
  directives: [],
  functions: `
fn dotOfVectors(x: vec4<u32>, y: vec4<u32>) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < 4u; i++) { sum += dot(unpack2x16float(x[i]), unpack2x16float(y[i])); }
  return sum;
}
fn multiplied(sums: array<f32, 8>, lane: u32, l: u32, r: u32) -> array<f32, 8> {
  var out = sums;
  let first = l + lane / 2u * ${stride}u;
  for (var n = 0u; n < 8u; n++) {
    let at = r + (lane % 2u * 8u + n) * ${stride}u;
    out[n] += dotOfVectors(left[first], right[at]) + dotOfVectors(left[first + 1u], right[at + 1u]);
  }
  return out;
}`,
  sums: 'array<f32, 8>',
  multiply: (each) =>
    each(
      (i, j) => `      sum${i}_${j} = multiplied(sum${i}_${j}, lane, ${row('top', i)}, ${row('side', j)});`,
    ),
  store: (sum) => `for (var n = 0u; n < 8u; n++) { results[own + lane * 8u + n] = ${sum}[n]; }`,
};
