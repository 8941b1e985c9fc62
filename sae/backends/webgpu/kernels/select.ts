/** Choosing from rows of pre-activations z [rows, candidates]: the k largest, or those above a threshold, ascending. */
import type { Program } from '../programs.ts';
import { fires } from './fires.ts';
import { orderedChoice, radixSelection, ranks } from './radixSelection.ts';

/** Threads that share a row, or a list. */
const threadsFor = (length: number) => (length > 4096 ? 256 : length > 512 ? 128 : 64);
/** Neighbours that one thread looks at in one round of the ordered output. */
const run = 8;

/**
 * The k largest of ReLU(z) a row, ties by lower latent, ascending; what is not finite ranks above every number and
 * comes out as NaN (`topKEncode` in fusedKernels.ts). `bounds`: the rank of each row's k-th is written as well.
 */
export function topKSelect(size: {
  rows: number;
  candidates: number;
  k: number;
  firstRow: number;
  among: boolean;
  bounds?: boolean;
}): Program {
  const { rows, candidates, k, firstRow, among, bounds = false } = size;
  const threads = threadsFor(candidates);
  const { functions, search } = radixSelection(threads, 'u.candidates', candidates > 4096);
  const index = among ? 'latents[first + i]' : 'i32(first + i)';
  return {
    label: 'topKSelect',
    bindings: [
      ['z', 'read', 'u32'],
      ...(among ? [['latents', 'read', 'i32'] as const] : []),
      ['rowStart', 'write', 'i32'],
      ['indices', 'write', 'i32'],
      ['values', 'write', 'u32'],
      ...(bounds ? [['bounds', 'write', 'u32'] as const] : []),
    ],
    uniforms: {
      rows: ['u32', rows],
      candidates: ['u32', candidates],
      k: ['u32', k],
      firstRow: ['u32', firstRow],
    },
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: `${ranks}
fn keyOf(row: u32, i: u32) -> u32 { return rank(z[row * u.candidates + i]); }
${functions}`,
    body: `
  let out = (u.firstRow + row) * u.k;
  if (thread == 0u) {
    if (u.firstRow + row == 0u) { rowStart[0] = 0; }
    rowStart[u.firstRow + row + 1u] = i32(out + u.k);
  }
${search}
  ${bounds ? 'if (thread == 0u) { bounds[row] = kth; }' : ''}
${orderedChoice(threads, { length: 'u.candidates', index })}`,
  };
}

/** A block of rows, from `firstRow` of the batch on. */
interface ThresholdBlock {
  rows: number;
  latents: number;
  firstRow: number;
}

/** How many latents of each row lie above their lower bounds. */
export function thresholdCount(size: ThresholdBlock): Program {
  const threads = threadsFor(size.latents);
  return {
    label: 'thresholdCount',
    bindings: [
      ['z', 'read', 'u32'],
      ['lower', 'read', 'f32'],
      ['counts', 'write', 'u32'],
    ],
    uniforms: { rows: ['u32', size.rows], latents: ['u32', size.latents], firstRow: ['u32', size.firstRow] },
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: fires,
    body: `
  var own = 0u;
  for (var i = thread; i < u.latents; i += ${threads}u) {
    own += u32(fires(z[row * u.latents + i], lower[i]));
  }
  _ = scan(own, thread, lanes);
  if (thread == 0u) { counts[u.firstRow + row] = scanTotal; }`,
  };
}

/** Writes those latents, ascending, from rowStart on. */
export function thresholdFill(size: ThresholdBlock): Program {
  const threads = threadsFor(size.latents);
  return {
    label: 'thresholdFill',
    bindings: [
      ['z', 'read', 'u32'],
      ['lower', 'read', 'f32'],
      ['rowStart', 'read', 'u32'],
      ['indices', 'write', 'i32'],
      ['values', 'write', 'u32'],
    ],
    uniforms: { rows: ['u32', size.rows], latents: ['u32', size.latents], firstRow: ['u32', size.firstRow] },
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: fires,
    body: `
  let base = row * u.latents;
  var before = rowStart[u.firstRow + row];
  for (var start = 0u; start < u.latents; start += ${threads * run}u) {
    let first = start + thread * ${run}u;
    var own = 0u;
    for (var i = first; i < min(first + ${run}u, u.latents); i++) { own += u32(fires(z[base + i], lower[i])); }
    var at = before + scan(own, thread, lanes);
    for (var i = first; i < min(first + ${run}u, u.latents); i++) {
      if (fires(z[base + i], lower[i])) {
        indices[at] = i32(i);
        values[at] = z[base + i];
        at++;
      }
    }
    before += workgroupUniformLoad(&scanTotal);
  }`,
  };
}

/** starts [count + 1]: exclusive prefix sums of counts [count], and their total at the end. One workgroup. */
export function prefixSums(count: number): Program {
  const threads = threadsFor(count);
  return {
    label: 'prefixSums',
    bindings: [
      ['counts', 'read', 'u32'],
      ['starts', 'write', 'u32'],
    ],
    uniforms: { count: ['u32', count] },
    threads,
    collectives: { scan: true },
    body: `
  var before = 0u;
  for (var start = 0u; start < u.count; start += ${threads * run}u) {
    let first = start + thread * ${run}u;
    var own = 0u;
    for (var i = first; i < min(first + ${run}u, u.count); i++) { own += counts[i]; }
    var at = before + scan(own, thread, lanes);
    for (var i = first; i < min(first + ${run}u, u.count); i++) {
      starts[i] = at;
      at += counts[i];
    }
    before += workgroupUniformLoad(&scanTotal);
  }
  if (thread == 0u) { starts[u.count] = before; }`,
  };
}
