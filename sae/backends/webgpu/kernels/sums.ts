/** Sums over matrices in a fixed order. */
import type { Program, Storage } from '../programs.ts';
import { threadsFor } from './sparse.ts';
import { remembered } from '../remembered.ts';

const threads = 256;

/** Number of blocks of rows that are summed separately, so that a tall matrix keeps a GPU busy. */
export const blocksOf = (rows: number) => Math.min(256, Math.ceil(rows / 16));

/** sums [blocks, d]: Σ over the rows of each block of x [rows, d], times weights [rows] if there are any. */
export const columnSums = remembered(
  (size: { rows: number; d: number; storage: Storage; weighted: boolean }): Program => {
    const { rows, d, storage, weighted } = size;
    const blocks = blocksOf(rows);
    const own = threadsFor(d);
    const part = (i: number) => `      let at${i} = min(row + ${i}u, end - 1u);
      let x${i} = f32(x[at${i} * u.d + column]) ${weighted ? `* weights[at${i}]` : ''};
      totals[${i}] += select(0.0, x${i}, row + ${i}u < end);`;
    return {
      label: 'columnSums',
      bindings: [
        ['x', 'read', storage],
        ['sums', 'write', 'f32'],
        ...(weighted ? [['weights', 'read', 'f32'] as const] : []),
      ],
      uniforms: { rows: ['u32', rows], d: ['u32', d], each: ['u32', Math.ceil(rows / blocks)] },
      threads: own,
      body: `
  let first = group.x * u.each;
  let end = min(first + u.each, u.rows);
  for (var column = thread; column < u.d; column += ${own}u) {
    // Four rows at a time, so that a thread waits for memory once for all of them.
    var totals = vec4<f32>();
    for (var row = first; row < end; row += 4u) {
${[0, 1, 2, 3].map(part).join('\n')}
    }
    let total = totals.x + totals.y + (totals.z + totals.w);
    sums[group.x * u.d + column] = total;
  }`,
    };
  },
);

/**
 * out [batch, d] = factor · scalars[0] · Σ over blocks of `sums` [batch, blocks, d], minus Σ over blocks of `less`. The y
 * coordinate of the workgroup is the index in the batch.
 */
export const joinColumns = remembered(
  (size: {
    d: number;
    blocks: number;
    factor: number;
    /** Whether there is an operand `scalars`. */
    scaled?: boolean;
    /** Number of blocks of `less`, 0 if there is no such operand. */
    less?: number;
  }): Program => {
    const { d, blocks, factor, scaled = false, less = 0 } = size;
    const parts = partsFor(size);
    const columns = columnsFor(parts);
    const join = `
  totals[thread] = total;
  others[thread] = other;
  workgroupBarrier();
  for (var i = 1u; i < ${parts}u; i++) {
    total += totals[(i * ${columns}u + thread) % ${threads}u];
    ${less > 0 ? `other += others[(i * ${columns}u + thread) % ${threads}u];` : ''}
  }`;
    return {
      label: 'joinColumns',
      bindings: [
        ['sums', 'read', 'f32'],
        ['out', 'write', 'f32'],
        ...(scaled ? [['scalars', 'read', 'f32'] as const] : []),
        ...(less > 0 ? [['less', 'read', 'f32'] as const] : []),
      ],
      uniforms: {
        d: ['u32', d],
        blocks: ['u32', blocks],
        factor: ['f32', factor],
        lessBlocks: ['u32', less],
      },
      threads: parts === 1 ? 64 : threads,
      functions: `
var<workgroup> totals: array<f32, ${threads}>;
var<workgroup> others: array<f32, ${threads}>;`,
      body: `
  let place = thread % ${columns}u;
  let part = thread / ${columns}u;
  let column = group.x * ${columns}u + place;
  var total = 0.0;
  var other = 0.0;
  if (column < u.d) {
    for (var block = part; block < u.blocks; block += ${parts}u) {
      total += sums[(group.y * u.blocks + block) * u.d + column];
    }
    ${less > 0 ? `for (var block = part; block < u.lessBlocks; block += ${parts}u) { other += less[block * u.d + column]; }` : ''}
  }
  ${parts > 1 ? join : ''}
  if (part == 0u && column < u.d) {
    out[group.y * u.d + column] = total * u.factor ${scaled ? '* scalars[0]' : ''} ${less > 0 ? '- other' : ''};
  }`,
    };
  },
);

/** Number of threads that share the blocks of a column: many threads wait for memory together where there are many blocks. */
const partsFor = ({ blocks, less = 0 }: { blocks: number; less?: number }) =>
  Math.max(blocks, less) > 16 ? 16 : 1;
const columnsFor = (parts: number) => (parts === 1 ? 64 : threads / parts);

/** Number of workgroups of joinColumns for each of its batch. */
export const joinGroups = (size: { d: number; blocks: number; less?: number }) =>
  Math.ceil(size.d / columnsFor(partsFor(size)));

/** out [offset + rows]: Σ (x − centre)² of each row, or its square root if that is wanted. */
export const rowSquares = remembered(
  (size: { rows: number; d: number; centred: boolean; root: boolean; offset: number }): Program => {
    const { rows, d, centred, root, offset } = size;
    return {
      label: 'rowSquares',
      bindings: [
        ['x', 'read', 'f32'],
        ['squares', 'write', 'f32'],
        ...(centred ? [['centre', 'read', 'f32'] as const] : []),
      ],
      uniforms: { rows: ['u32', rows], d: ['u32', d], offset: ['u32', offset] },
      threads: 64,
      each: ['row', 'u.rows'],
      collectives: { sum: 64 },
      body: `
  var own = 0.0;
  for (var column = thread; column < u.d; column += 64u) {
    let value = x[row * u.d + column] ${centred ? '- centre[column]' : ''};
    own += value * value;
  }
  let all = sumOf(own, thread, lanes);
  if (thread == 0u) { squares[u.offset + row] = ${root ? 'sqrt(all)' : 'all'}; }`,
    };
  },
);

/** out [1] = Σ of `count` values from `from` on. Runs as one workgroup. */
export const total = remembered(({ from, count }: { from: number; count: number }): Program => {
  return {
    label: 'total',
    bindings: [
      ['values', 'read', 'f32'],
      ['out', 'write', 'f32'],
    ],
    uniforms: { from_: ['u32', from], count: ['u32', count] },
    threads,
    collectives: { sum: threads },
    body: `
  var own = 0.0;
  for (var i = thread; i < u.count; i += ${threads}u) { own += values[u.from_ + i]; }
  let all = sumOf(own, thread, lanes);
  if (thread == 0u) { out[0] = all; }`,
  };
});

/**
 * clip [1] = min(1, clipNorm / ‖gradient‖). ‖gradient‖² is the sum of `squares` [2, latents], the squared norms of the matrices' gradient rows,
 * and of the squares of the vectors' gradients: the first `vectors` elements of `sums` and all of `bDec`.
 */
export const clipScale = remembered(
  (size: { squares: number; vectors: number; d: number; clipNorm: number }): Program => {
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
      threads,
      collectives: { sum: threads },
      body: `
  var own = 0.0;
  for (var i = thread; i < u.squares; i += ${threads}u) { own += squares[i]; }
  for (var i = thread; i < u.vectors; i += ${threads}u) { own += sums[i] * sums[i]; }
  for (var i = thread; i < u.d; i += ${threads}u) { own += bDec[i] * bDec[i]; }
  let all = sumOf(own, thread, lanes);
  if (thread == 0u) { clip[0] = min(1.0, u.clipNorm / sqrt(all)); }`,
    };
  },
);
