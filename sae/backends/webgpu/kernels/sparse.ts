/** Products of a sparse matrix [rows, latents], given as entries, with dense matrices, by one workgroup for each row. */
import type { Program, Storage } from '../programs.ts';
import { fires } from './fires.ts';
import { blockOf, type Prefixes } from './prefixes.ts';
import { remembered } from '../remembered.ts';

/** Number of threads that share the d columns of a row. */
export const threadsFor = (d: number) => (d > 128 ? 256 : d > 64 ? 128 : 64);

/**
 * out [rows, d] = S·W or, with a target, f·W_dec + bias − target, together with the sum of its squares in each row. In the second form entries
 * at or below their threshold count as 0.
 */
export const decode = remembered(
  (size: {
    rows: number;
    d: number;
    /** Storage of W. */
    storage: Storage;
    /** Where thresholds and bias begin in `vectors`; null where there are none. */
    reconstruct: { threshold: number | null; bias: number | null } | null;
  }): Program => {
    const { rows, d, storage, reconstruct } = size;
    const { threshold = null, bias = null } = reconstruct ?? {};
    const threads = threadsFor(d);
    const columns = Math.ceil(d / threads);
    const value = reconstruct
      ? `select(0.0, bitcast<f32>(bits), fires(bits, ${threshold === null ? '0.0' : 'vectors[u.threshold + indices[e]]'}))`
      : 'bitcast<f32>(bits)';
    return {
      label: reconstruct ? 'reconstruct' : 'sparseDecode',
      bindings: [
        ['rowStart', 'read', 'u32'],
        ['indices', 'read', 'u32'],
        ['values', 'read', 'u32'],
        ['w', 'read', storage],
        ['out', 'write', 'f32'],
        ...(reconstruct
          ? ([
              ['target_', 'read', 'f32'],
              ['squares', 'write', 'f32'],
            ] as const)
          : []),
        ...(threshold === null && bias === null ? [] : [['vectors', 'read', 'f32'] as const]),
      ],
      uniforms: {
        rows: ['u32', rows],
        d: ['u32', d],
        threshold: ['u32', threshold ?? 0],
        bias: ['u32', bias ?? 0],
      },
      threads,
      each: ['row', 'u.rows'],
      collectives: reconstruct ? { sum: threads } : {},
      functions: fires,
      body: `
  var total: array<f32, ${columns}>;
  for (var e = rowStart[row]; e < rowStart[row + 1u]; e++) {
    let bits = values[e];
    let f = ${value};
    let base = indices[e] * u.d + thread;
    for (var j = 0u; j < ${columns}u; j++) {
      if (thread + j * ${threads}u < u.d) { total[j] += f * f32(w[base + j * ${threads}u]); }
    }
  }
  ${reconstruct ? 'var square = 0.0;' : ''}
  for (var j = 0u; j < ${columns}u; j++) {
    let column = thread + j * ${threads}u;
    if (column < u.d) {
      let at = row * u.d + column;
      ${reconstruct ? `let off = total[j] ${bias === null ? '' : '+ vectors[u.bias + column] '}- target_[at];` : 'let off = total[j];'}
      out[at] = off;
      ${reconstruct ? 'square += off * off;' : ''}
    }
  }
  ${reconstruct ? `let rowSquare = sumOf(square, thread, lanes);\n  if (thread == 0u) { squares[row] = rowSquare; }` : ''}`,
    };
  },
);

interface Nested {
  rows: number;
  d: number;
  storage: Storage;
  prefixes: Prefixes;
}

/**
 * Errors of nested reconstructions. Block p of `errors` [prefixes, rows, d] becomes Σ (x̂_q − target) over q ≥ p, where x̂_q is decoded from the latents
 * below the end of prefix q. `squares` [2, rows] are the sums of (x̂_p − target)² over all p, and those of the last. `storage` is that of W.
 */
export const decodeNested = remembered((size: Nested): Program => {
  const { rows, d, storage, prefixes } = size;
  const threads = threadsFor(d);
  const columns = Math.ceil(d / threads);
  const each = (body: string) => `for (var j = 0u; j < ${columns}u; j++) {
      let column = thread + j * ${threads}u;
      if (column < u.d) { ${body} }
    }`;
  return {
    label: 'reconstructNested',
    bindings: [
      ['rowStart', 'read', 'u32'],
      ['indices', 'read', 'u32'],
      ['values', 'read', 'u32'],
      ['w', 'read', storage],
      ['bias', 'read', 'f32'],
      ['target_', 'read', 'f32'],
      ['errors', 'write', 'f32'],
      ['squares', 'write', 'f32'],
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', d] },
    threads,
    each: ['row', 'u.rows'],
    collectives: { sum: threads },
    functions: `
${fires}
var<private> ends: array<u32, ${prefixes.length}> = array<u32, ${prefixes.length}>(${Array.from(prefixes, (end) => `${end}u`).join(', ')});`,
    body: `
  var total: array<f32, ${columns}>;
  ${each('total[j] = bias[column] - target_[row * u.d + column];')}
  var all = 0.0;
  var last = 0.0;
  var e = rowStart[row];
  let end = rowStart[row + 1u];
  for (var p = 0u; p < ${prefixes.length}u; p++) {
    // Latents ascend within a row, so those that a prefix adds to the one before are the next ones.
    let stop = ends[p];
    for (; e < end; e++) {
      let latent = indices[e];
      if (latent >= stop) { break; }
      let bits = values[e];
      let f = select(0.0, bitcast<f32>(bits), fires(bits, 0.0));
      ${each('total[j] += f * f32(w[latent * u.d + column]);')}
    }
    last = 0.0;
    ${each('errors[(p * u.rows + row) * u.d + column] = total[j]; last += total[j] * total[j];')}
    all += last;
  }
  // A thread reads back only what it has written itself.
  var later: array<f32, ${columns}>;
  for (var p = ${prefixes.length}u; p > 0u; p--) {
    ${each(`let at = ((p - 1u) * u.rows + row) * u.d + column;
      later[j] += errors[at];
      errors[at] = later[j];`)}
  }
  let allSquares = sumOf(all, thread, lanes);
  let lastSquares = sumOf(last, thread, lanes);
  if (thread == 0u) {
    squares[row] = allSquares;
    squares[u.rows + row] = lastSquares;
  }`,
  };
});

/**
 * [entries]: g·Wᵀ at the places of the entries, by 32 threads for each entry. `storage` is that of W. With `prefixes`, g [prefixes, rows, d] has a block
 * for each of them, and an entry's row is in the block of the first prefix that has its latent.
 */
export const dots = remembered((size: Omit<Nested, 'prefixes'> & Partial<Nested>): Program => {
  const { rows, d, storage, prefixes } = size;
  const threads = d > 128 ? 256 : 64;
  return {
    label: 'sparseDots',
    bindings: [
      ['rowStart', 'read', 'u32'],
      ['indices', 'read', 'u32'],
      ['g', 'read', 'f32'],
      ['w', 'read', storage],
      ['out', 'write', 'f32'],
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', d] },
    threads,
    each: ['row', 'u.rows'],
    collectives: { sum: 32 },
    ...(prefixes && { functions: blockOf(prefixes) }),
    body: `
  let place = thread % 32u;
  let end = rowStart[row + 1u];
  for (var first = rowStart[row]; first < end; first += ${threads / 32}u) {
    let e = first + thread / 32u;
    var part = 0.0;
    if (e < end) {
      let base = indices[e] * u.d;
      let source = ${prefixes ? '(blockOf(indices[e]) * u.rows + row)' : 'row'} * u.d;
      for (var column = place; column < u.d; column += 32u) { part += g[source + column] * f32(w[base + column]); }
    }
    let dot = sumOf(part, thread, lanes);
    if (place == 0u && e < end) { out[e] = dot; }
  }`,
  };
});
