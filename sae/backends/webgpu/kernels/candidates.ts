/**
 * Top-k over latents that come chunk by chunk: each row has its k best so far, in the order of latents, and the rank of
 * the k-th, its bound. Of a further chunk the product lists what is above the bound, the row's candidates; a merge then
 * leaves the k best of both.
 *
 * A chunk's latents lie above all before it. So a candidate as large as the bound loses against the ones seen, and merged
 * rows are still in order when candidates come after the others.
 */
import type { Program } from '../programs.ts';
import type { Destination } from './product.ts';
import { orderedChoice, radixSelection, ranks } from './radixSelection.ts';

/** Columns of a chunk, at most: of each, a thread of a merge has 32. */
export const widestChunk = 8192;

/**
 * Lists results above their rows' bounds: `candidates` [rows, chunk] of (column, rank), in no order, `counts` [rows] of
 * them. Operands: bounds, counts, candidates. A row has room for the whole chunk.
 */
export const listCandidates = (chunk: number): Destination => ({
  label: 'candidateProduct',
  bindings: [
    ['bounds', 'read', 'u32'],
    ['counts', 'write', 'atomic<u32>'],
    ['candidates', 'write', 'vec2<u32>'],
  ],
  uniforms: { chunk: ['u32', chunk] },
  functions: ranks,
  row: 'let bound = bounds[row];',
  store: `
      let key = rank(bitcast<u32>(result));
      if (key > bound) { candidates[row * u.chunk + atomicAdd(&counts[row], 1u)] = vec2<u32>(column, key); }`,
});

/**
 * Brings a block of rows, from `firstRow` of the batch on, up to date after a chunk that begins at `firstColumn`, and
 * empties their lists. Candidates find their places by two bits a column, above the k-th and equal to it: the
 * order in which they were listed does not show.
 */
export function mergeTopK(size: {
  rows: number;
  firstRow: number;
  k: number;
  chunk: number;
  firstColumn: number;
  among: boolean;
}): Program {
  const { rows, firstRow, k, chunk, firstColumn, among } = size;
  const threads = Math.max(64, chunk / 32);
  const { functions, search } = radixSelection(threads, 'u.k + count', false);
  return {
    label: 'mergeTopK',
    bindings: [
      ['candidates', 'read', 'vec2<u32>'],
      ['counts', 'write', 'u32'],
      ['bounds', 'write', 'u32'],
      ...(among ? [['latents', 'read', 'i32'] as const] : []),
      ['indices', 'write', 'i32'],
      ['values', 'write', 'u32'],
    ],
    uniforms: {
      rows: ['u32', rows],
      firstRow: ['u32', firstRow],
      k: ['u32', k],
      chunk: ['u32', chunk],
      firstColumn: ['u32', firstColumn],
    },
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: `${ranks}
var<workgroup> listed: u32;
var<workgroup> largerBits: array<atomic<u32>, ${threads}>;
var<workgroup> tiedBits: array<atomic<u32>, ${threads}>;
var<workgroup> earlier: array<u32, ${threads}>;

// The best so far, then the candidates.
fn keyOf(row: u32, i: u32) -> u32 {
  if (i < u.k) { return rank(values[(u.firstRow + row) * u.k + i]); }
  return candidates[row * u.chunk + i - u.k].y;
}
${functions}`,
    body: `
  if (thread == 0u) {
    listed = counts[row];
    counts[row] = 0u;
  }
  let count = workgroupUniformLoad(&listed);
  if (count == 0u) { return; }
  atomicStore(&largerBits[thread], 0u);
  atomicStore(&tiedBits[thread], 0u);
${search}
  if (thread == 0u) { bounds[row] = kth; }

  let out = (u.firstRow + row) * u.k;
${orderedChoice(threads, { length: 'u.k', index: 'held[i]', hold: { declare: 'i32', load: 'indices[out + first + i]' } })}

  for (var i = thread; i < count; i += ${threads}u) {
    let candidate = candidates[row * u.chunk + i];
    let bit = 1u << (candidate.x % 32u);
    if (candidate.y > kth) { atomicOr(&largerBits[candidate.x / 32u], bit); }
    if (candidate.y == kth) { atomicOr(&tiedBits[candidate.x / 32u], bit); }
  }
  workgroupBarrier();
  let own = countOneBits(atomicLoad(&largerBits[thread])) + (countOneBits(atomicLoad(&tiedBits[thread])) << 16u);
  earlier[thread] = scan(own, thread, lanes);
  workgroupBarrier();
  for (var i = thread; i < count; i += ${threads}u) {
    let candidate = candidates[row * u.chunk + i];
    let word = candidate.x / 32u;
    let below = (1u << (candidate.x % 32u)) - 1u;
    let larger = before.x + (earlier[word] & 0xffffu) + countOneBits(atomicLoad(&largerBits[word]) & below);
    let tied = before.y + (earlier[word] >> 16u) + countOneBits(atomicLoad(&tiedBits[word]) & below);
    if (candidate.y > kth || (candidate.y == kth && tied < ties)) {
      let entry = out + larger + min(tied, ties);
      let at = u.firstColumn + candidate.x;
      indices[entry] = ${among ? 'latents[at]' : 'i32(at)'};
      values[entry] = valueOf(candidate.y);
    }
  }`,
  };
}
