/**
 * WGSL of the size of a decoder row that has blocks, Σ_l ‖w_l‖ (METHODS.md §1), and of its gradient, which is w_l / ‖w_l‖ in block l. Blocks are
 * written out one after another, as they are the same for all rows of a dictionary.
 */
import type { Program } from '../programs.ts';
import { remembered } from '../remembered.ts';

/** Ends of the blocks of a row's columns, ascending. */
export type Blocks = readonly number[] | Int32Array;

/** A row in registers: thread t has the columns t, t + threads, … of `row`. */
interface RowInRegisters {
  readonly blocks: Blocks;
  readonly threads: number;
}

/** Declares `name`, the size of `row`. With `normals`, an array like `row`, that becomes the size's gradient. */
export function sizeOfRow({ blocks, threads }: RowInRegisters, name: string, normals?: string): string {
  const parts = Array.from(blocks, (end, l) => {
    const from = l === 0 ? 0 : blocks[l - 1];
    // Only these of a thread's columns can be in the block.
    const [first, last] = [Math.floor(from / threads), Math.floor((end - 1) / threads)];
    const each = (body: string) =>
      `for (var j = ${first}u; j <= ${last}u; j++) {
      let column = thread + j * ${threads}u;
      if (column >= ${from}u && column < ${end}u) { ${body} }
    }`;
    return `{
    var square = 0.0;
    ${each('square += row[j] * row[j];')}
    let length = sqrt(sumOf(square, thread, lanes));
    ${name} += length;
    ${normals ? each(`${normals}[j] = row[j] / max(length, 1e-30);`) : ''}
  }`;
  });
  return `var ${name} = 0.0;\n  ${parts.join('\n  ')}`;
}

const threads = 64;

/** Calls `block` with WGSL that runs over a block's columns of `w`, a workgroup a row, and the name of its norm. */
function eachBlock(blocks: Blocks, block: (columns: (body: string) => string) => string): string {
  return Array.from(blocks, (end, l) => {
    const from = l === 0 ? 0 : blocks[l - 1];
    const columns = (body: string) =>
      `for (var column = ${from}u + thread; column < ${end}u; column += ${threads}u) { ${body} }`;
    return `{
    var own = 0.0;
    ${columns('let value = w[row * u.d + column]; own += value * value;')}
    let norm = sqrt(sumOf(own, thread, lanes));
    ${block(columns)}
  }`;
  }).join('\n  ');
}

/** out [offset + rows]: the size of each row of w [rows, d]. */
export const rowSizes = remembered((size: { rows: number; blocks: Blocks; offset: number }): Program => {
  const { rows, blocks, offset } = size;
  return {
    label: 'rowSizes',
    bindings: [
      ['w', 'read', 'f32'],
      ['out', 'write', 'f32'],
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', blocks[blocks.length - 1]], offset: ['u32', offset] },
    threads,
    each: ['row', 'u.rows'],
    collectives: { sum: threads },
    body: `
  var size = 0.0;
  ${eachBlock(blocks, () => 'size += norm;')}
  if (thread == 0u) { out[u.offset + row] = size; }`,
  };
});

/**
 * out [latents, d] = factor · out + l1 · Σf · w_l / ‖w_l‖ in block l, as `densePenalty` of dense.ts has it for rows without blocks, with the same operands.
 */
export const densePenaltyOfBlocks = remembered(
  (size: { latents: number; blocks: Blocks; l1: number }): Program => {
    const { latents, blocks, l1 } = size;
    return {
      label: 'densePenalty',
      bindings: [
        ['w', 'read', 'f32'],
        ['table', 'read', 'f32'],
        ['sums', 'read', 'f32'],
        ['out', 'write', 'f32'],
      ],
      uniforms: { latents: ['u32', latents], d: ['u32', blocks[blocks.length - 1]], l1: ['f32', l1] },
      threads,
      each: ['row', 'u.latents'],
      collectives: { sum: threads },
      body: `
  let factor = table[2u * u.latents];
  let pull = u.l1 * sums[2u * u.latents + row];
  ${eachBlock(
    blocks,
    (columns) => `let scale = pull / max(norm, 1e-30);
    ${columns('let at = row * u.d + column; out[at] = out[at] * factor + scale * w[at];')}`,
  )}`,
    };
  },
);
