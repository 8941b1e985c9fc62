/** Sums over matrices, in an order that never changes. */
import { type Program, workgroupIndex } from '../programs.ts';
import { sum } from './scan.ts';
import { threadsFor } from './sparse.ts';

const threads = 256;
const head = `@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) thread: u32`;

/** Blocks of rows that are summed apart, so that a tall matrix keeps a GPU busy. */
export const blocksOf = (rows: number) => Math.min(256, Math.ceil(rows / 16));

/** sums [blocks, d]: Σ over the rows of each block of x [rows, d], times weights [rows] if there are any. */
export function columnSums(size: { rows: number; d: number; weighted: boolean }): Program {
  const { rows, d, weighted } = size;
  const blocks = blocksOf(rows);
  const own = threadsFor(d);
  return {
    label: 'columnSums',
    bindings: [
      ['x', 'read', 'f32'],
      ['sums', 'write', 'f32'],
      ...(weighted ? [['weights', 'read', 'f32'] as const] : []),
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', d], each: ['u32', Math.ceil(rows / blocks)] },
    code: `
@compute @workgroup_size(${own})
fn main(${head}) {
  let first = group.x * u.each;
  let end = min(first + u.each, u.rows);
  for (var column = thread; column < u.d; column += ${own}u) {
    var total = 0.0;
    for (var row = first; row < end; row++) {
      total += x[row * u.d + column] ${weighted ? '* weights[row]' : ''};
    }
    sums[group.x * u.d + column] = total;
  }
}`,
  };
}

/**
 * out [batch, d] = factor · scalars[0] · Σ over blocks of `sums` [batch, blocks, d], less Σ over blocks of `less`. One
 * workgroup a batch in y.
 */
export function joinColumns(size: {
  d: number;
  blocks: number;
  factor: number;
  /** Whether there is `scalars`. */
  scaled?: boolean;
  /** Blocks of `less`, 0 if there is none. */
  less?: number;
}): Program {
  const { d, blocks, factor, scaled = false, less = 0 } = size;
  return {
    label: 'joinColumns',
    bindings: [
      ['sums', 'read', 'f32'],
      ['out', 'write', 'f32'],
      ...(scaled ? [['scalars', 'read', 'f32'] as const] : []),
      ...(less > 0 ? [['less', 'read', 'f32'] as const] : []),
    ],
    uniforms: { d: ['u32', d], blocks: ['u32', blocks], factor: ['f32', factor], lessBlocks: ['u32', less] },
    code: `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= u.d) { return; }
  var total = 0.0;
  for (var block = 0u; block < u.blocks; block++) { total += sums[(id.y * u.blocks + block) * u.d + id.x]; }
  total *= u.factor ${scaled ? '* scalars[0]' : ''};
  ${less > 0 ? `var other = 0.0;\n  for (var block = 0u; block < u.lessBlocks; block++) { other += less[block * u.d + id.x]; }\n  total -= other;` : ''}
  out[id.y * u.d + id.x] = total;
}`,
  };
}

/** squares [rows]: Σ (x − centre)² of each row, its root if asked for; `out` begins at `offset`. */
export function rowSquares(size: {
  rows: number;
  d: number;
  centred: boolean;
  root: boolean;
  offset: number;
}): Program {
  const { rows, d, centred, root, offset } = size;
  return {
    label: 'rowSquares',
    bindings: [
      ['x', 'read', 'f32'],
      ['squares', 'write', 'f32'],
      ...(centred ? [['centre', 'read', 'f32'] as const] : []),
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', d], offset: ['u32', offset] },
    code: `
${workgroupIndex}
${sum(64)}
@compute @workgroup_size(64)
fn main(${head}) {
  let row = workgroupIndex(group, groups);
  if (row >= u.rows) { return; }
  var own = 0.0;
  for (var column = thread; column < u.d; column += 64u) {
    let value = x[row * u.d + column] ${centred ? '- centre[column]' : ''};
    own += value * value;
  }
  let all = sumOf(own, thread);
  if (thread == 0u) { squares[u.offset + row] = ${root ? 'sqrt(all)' : 'all'}; }
}`,
  };
}

/** out [1] = Σ values. One workgroup. */
export function total(count: number): Program {
  return {
    label: 'total',
    bindings: [
      ['values', 'read', 'f32'],
      ['out', 'write', 'f32'],
    ],
    uniforms: { count: ['u32', count] },
    code: `
${sum(threads)}
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) thread: u32) {
  var own = 0.0;
  for (var i = thread; i < u.count; i += ${threads}u) { own += values[i]; }
  let all = sumOf(own, thread);
  if (thread == 0u) { out[0] = all; }
}`,
  };
}

/**
 * clip [1] = min(1, clipNorm / ‖gradient‖): Σ of `squares` [2, latents] of the matrices, and the squares of the vectors'
 * gradients, the first `vectors` of `sums` and all of `bDec`.
 */
export function clipScale(size: { squares: number; vectors: number; d: number; clipNorm: number }): Program {
  const { squares, vectors, d, clipNorm } = size;
  return {
    label: 'clipScale',
    bindings: [
      ['squares', 'read', 'f32'],
      ['sums', 'read', 'f32'],
      ['bDec', 'read', 'f32'],
      ['clip', 'write', 'f32'],
    ],
    uniforms: {
      squares: ['u32', squares],
      vectors: ['u32', vectors],
      d: ['u32', d],
      clipNorm: ['f32', clipNorm],
    },
    code: `
${sum(threads)}
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) thread: u32) {
  var own = 0.0;
  for (var i = thread; i < u.squares; i += ${threads}u) { own += squares[i]; }
  for (var i = thread; i < u.vectors; i += ${threads}u) { own += sums[i] * sums[i]; }
  for (var i = thread; i < u.d; i += ${threads}u) { own += bDec[i] * bDec[i]; }
  let all = sumOf(own, thread);
  if (thread == 0u) { clip[0] = min(1.0, u.clipNorm / sqrt(all)); }
}`,
  };
}
