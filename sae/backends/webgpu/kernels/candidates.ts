/**
 * Top-k over latents that are processed chunk by chunk. Each row has its `best` [rows, k] so far, as (latent, rank), the largest
 * first, ties by lower latent, and the rank of the k-th is its bound. For each further chunk the product lists pre-activations above
 * the bound, the row's candidates [rows, chunk], in arbitrary order; a merge then keeps the k best of both.
 *
 * Latents of a chunk are higher than all before it, so a candidate equal to the bound loses against the entries there. The place of
 * every entry is found by counting the entries that come before it, which does not depend on the order of the candidates: n
 * candidates take n·(2k + n) comparisons without a barrier, and there are few of them.
 */
import type { Program } from '../programs.ts';
import type { RowBlock } from '../rowBlocks.ts';
import type { Destination } from './product.ts';
import { ranks } from './ranks.ts';
import { remembered } from '../remembered.ts';

interface TopKBlock extends RowBlock {
  readonly k: number;
}

/** Threads that share a row. */
const threadsFor = (k: number) => (k > 128 ? 256 : 64);

const uniformsOf = ({ rows, firstRow, k }: TopKBlock): Program['uniforms'] => ({
  rows: ['u32', rows],
  firstRow: ['u32', firstRow],
  k: ['u32', k],
});

/**
 * A destination of the product that lists candidates instead of storing a chunk's pre-activations. `counts` [rows] are their numbers and must
 * be 0 before. Operands: bounds, counts, candidates. `firstColumn` is the number of the chunk's first latent.
 */
export const listCandidates = remembered((chunk: number, firstColumn: number): Destination => ({
  label: 'candidateProduct',
  bindings: [
    ['bounds', 'read', 'u32'],
    ['counts', 'write', 'atomic<u32>'],
    ['candidates', 'write', 'vec2<u32>'],
  ],
  uniforms: { chunk: ['u32', chunk], firstLatent: ['u32', firstColumn] },
  functions: ranks,
  row: 'let bound = bounds[row];',
  store: `let key = rank(bitcast<u32>(result));
          if (key > bound) {
            candidates[row * u.chunk + atomicAdd(&counts[row], 1u)] = vec2<u32>(u.firstLatent + column, key);
          }`,
}));

/** Turns the top-k of the first chunk, ascending by latent, into `best`, and sets the counts of candidates to 0. */
export const beginTopK = remembered((block: TopKBlock): Program => {
  const threads = threadsFor(block.k);
  return {
    label: 'beginTopK',
    bindings: [
      ['indices', 'read', 'u32'],
      ['values', 'read', 'u32'],
      ['best', 'write', 'vec2<u32>'],
      ['bounds', 'write', 'u32'],
      ['counts', 'write', 'u32'],
    ],
    uniforms: uniformsOf(block),
    threads,
    each: ['row', 'u.rows'],
    functions: ranks,
    body: `
  let base = (u.firstRow + row) * u.k;
  if (thread == 0u) { counts[row] = 0u; }
  for (var i = thread; i < u.k; i += ${threads}u) {
    let key = rank(values[base + i]);
    var place = 0u;
    for (var j = 0u; j < u.k; j++) {
      let other = rank(values[base + j]);
      place += u32(other > key || (other == key && j < i));
    }
    best[row * u.k + place] = vec2<u32>(indices[base + i], key);
    if (place + 1u == u.k) { bounds[row] = key; }
  }`,
  };
});

/** Writes the k best of `best` and the candidates into `better`, and sets the counts of candidates to 0. */
export const mergeTopK = remembered((block: TopKBlock, chunk: number): Program => {
  const threads = threadsFor(block.k);
  return {
    label: 'mergeTopK',
    bindings: [
      ['best', 'read', 'vec2<u32>'],
      ['candidates', 'read', 'vec2<u32>'],
      ['better', 'write', 'vec2<u32>'],
      ['bounds', 'write', 'u32'],
      ['counts', 'write', 'u32'],
    ],
    uniforms: { ...uniformsOf(block), chunk: ['u32', chunk] },
    threads,
    each: ['row', 'u.rows'],
    body: `
  let base = row * u.k;
  let listed = row * u.chunk;
  let count = counts[row];
  storageBarrier();
  if (thread == 0u) { counts[row] = 0u; }
  for (var i = thread; i < u.k + count; i += ${threads}u) {
    var entry: vec2<u32>;
    var place = 0u;
    if (i < u.k) {
      entry = best[base + i];
      place = i;
    } else {
      entry = candidates[listed + i - u.k];
      for (var j = 0u; j < u.k; j++) { place += u32(best[base + j].y >= entry.y); }
    }
    for (var j = 0u; j < count; j++) {
      let other = candidates[listed + j];
      place += u32(other.y > entry.y || (other.y == entry.y && other.x < entry.x));
    }
    if (place < u.k) { better[base + place] = entry; }
    if (place + 1u == u.k) { bounds[row] = entry.y; }
  }`,
  };
});

/** Writes `best`, ascending by latent, as the chosen entries. With `among`, their latents are indices into a list of latents. */
export const endTopK = remembered((block: TopKBlock, among: boolean): Program => {
  const threads = threadsFor(block.k);
  return {
    label: 'endTopK',
    bindings: [
      ['best', 'read', 'vec2<u32>'],
      ...(among ? [['latents', 'read', 'u32'] as const] : []),
      ['indices', 'write', 'u32'],
      ['values', 'write', 'u32'],
    ],
    uniforms: uniformsOf(block),
    threads,
    each: ['row', 'u.rows'],
    functions: ranks,
    body: `
  for (var i = thread; i < u.k; i += ${threads}u) {
    let entry = best[row * u.k + i];
    var place = (u.firstRow + row) * u.k;
    for (var j = 0u; j < u.k; j++) { place += u32(best[row * u.k + j].x < entry.x); }
    indices[place] = ${among ? 'latents[entry.x]' : 'entry.x'};
    values[place] = valueOf(entry.y);
  }`,
  };
});
