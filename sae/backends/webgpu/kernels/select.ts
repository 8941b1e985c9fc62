/** Selection from rows of pre-activations z [rows, candidates]: the k largest, or those above a threshold, in ascending order of latents. */
import type { Program } from '../programs.ts';
import type { RowBlock } from '../rowBlocks.ts';
import { fires } from './fires.ts';
import { ranks } from './ranks.ts';
import { remembered } from '../remembered.ts';

/** Number of threads that share a row, or a list, of this length. */
const threadsFor = (length: number) => (length > 4096 ? 256 : length > 512 ? 128 : 64);
/** Neighbouring elements that one thread reads in one round of the ordered output. */
const run = 8;

/**
 * The k largest ReLU(z) of each row, ties by lower latent, in ascending order of latents; a value that is not finite ranks above every number
 * and becomes NaN (`topKEncode` in fusedKernels.ts). Radix selection: the bits of a positive float order as integers, so
 * three passes over a long row, 11 + 11 + 9 bits, or four over a short one, find the k-th largest exactly for any k, and
 * one more writes the choice in order. Zeros are not counted but inferred from the other counts, because half of all threads would wait for the same atomic counter.
 */
export const topKSelect = remembered(
  (size: { rows: number; candidates: number; k: number; firstRow: number; among: boolean }): Program => {
    const { rows, candidates, k, firstRow, among } = size;
    const threads = threadsFor(candidates);
    const digits = candidates > 4096 ? [11, 11, 9] : [8, 8, 8, 7];
    const bins = 2 ** digits[0];
    const each = bins / threads;
    const shifts = digits.map((_, i) => 31 - digits.slice(0, i + 1).reduce((sum, bits) => sum + bits, 0));
    const narrowings = shifts.map(
      (shift, i) => `  narrow(base, kth, ${i === 0 ? 31 : shifts[i - 1]}u, ${shift}u, thread, lanes);`,
    );
    return {
      label: 'topKSelect',
      bindings: [
        ['z', 'read', 'u32'],
        ...(among ? [['latents', 'read', 'i32'] as const] : []),
        ['rowStart', 'write', 'i32'],
        ['indices', 'write', 'i32'],
        ['values', 'write', 'u32'],
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
var<workgroup> counters: array<atomic<u32>, ${bins}>;
var<workgroup> bin: u32;
var<workgroup> wanted: u32;

// Narrows the range of the k-th largest by one digit: [prefix, prefix + 2^shift) after it.
fn narrow(base: u32, prefix: u32, above: u32, shift: u32, thread: u32, lanes: u32) {
  for (var i = thread; i < ${bins}u; i += ${threads}u) { atomicStore(&counters[i], 0u); }
  workgroupBarrier();
  for (var i = thread; i < u.candidates; i += ${threads}u) {
    let key = rank(z[base + i]);
    if (key > 0u && (key >> above) == (prefix >> above)) {
      atomicAdd(&counters[(key >> shift) & ((1u << (above - shift)) - 1u)], 1u);
    }
  }
  workgroupBarrier();
  // Thread 0 handles the largest digits.
  let first = ${bins - 1}u - thread * ${each}u;
  var own = 0u;
  for (var i = 0u; i < ${each}u; i++) { own += atomicLoad(&counters[first - i]); }
  let larger = scan(own, thread, lanes);
  let left = workgroupUniformLoad(&wanted);
  if (larger < left && left <= larger + own) {
    var seen = larger;
    for (var i = 0u; i < ${each}u; i++) {
      let count = atomicLoad(&counters[first - i]);
      if (seen < left && left <= seen + count) {
        bin = first - i;
        wanted = left - seen;
      }
      seen += count;
    }
  }
  workgroupBarrier();
}`,
      body: `
  let base = row * u.candidates;
  if (thread == 0u) {
    if (u.firstRow + row == 0u) { rowStart[0] = 0; }
    rowStart[u.firstRow + row + 1u] = i32((u.firstRow + row + 1u) * u.k);
    wanted = u.k;
  }
  var kth = 0u;
${narrowings[0]}
  let positive = workgroupUniformLoad(&scanTotal);
  if (positive < u.k) {
    // If fewer than k latents fire, all of them are chosen, and the lowest of the others fill the row up.
    if (thread == 0u) { wanted = u.k - positive; }
    workgroupBarrier();
  } else {
    kth = workgroupUniformLoad(&bin) << ${31 - digits[0]}u;
${narrowings
  .slice(1)
  .map((call, i) => `  ${call}\n    kth |= workgroupUniformLoad(&bin) << ${shifts[i + 1]}u;`)
  .join('\n')}
  }
  let ties = workgroupUniformLoad(&wanted);

  // The first component counts values above the k-th largest, the second one ties with it.
  var before = vec2<u32>(0u);
  for (var start = 0u; start < u.candidates; start += ${threads * run}u) {
    var own = 0u;
    var keys: array<u32, ${run}>;
    let first = start + thread * ${run}u;
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < u.candidates) {
        keys[i] = rank(z[base + first + i]);
        own += select(select(0u, 0x10000u, keys[i] == kth), 1u, keys[i] > kth);
      }
    }
    let packed = scan(own, thread, lanes);
    var at = before + vec2<u32>(packed & 0xffffu, packed >> 16u);
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < u.candidates) {
        let larger = keys[i] > kth;
        let tie = keys[i] == kth;
        if (larger || (tie && at.y < ties)) {
          let entry = (u.firstRow + row) * u.k + at.x + min(at.y, ties);
          indices[entry] = ${among ? 'latents[first + i]' : 'i32(first + i)'};
          values[entry] = valueOf(keys[i]);
        }
        at += vec2<u32>(u32(larger), u32(tie));
      }
    }
    let total = workgroupUniformLoad(&scanTotal);
    before += vec2<u32>(total & 0xffffu, total >> 16u);
  }`,
    };
  },
);

interface ThresholdBlock extends RowBlock {
  readonly latents: number;
}

/** Counts how many latents of each row are above their lower bounds. */
export const thresholdCount = remembered((size: ThresholdBlock): Program => {
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
});

/** Writes the latents that thresholdCount counted, ascending, from rowStart on, as many of each row as rowStart leaves room for. */
export const thresholdFill = remembered((size: ThresholdBlock): Program => {
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
  let end = rowStart[u.firstRow + row + 1u];
  for (var start = 0u; start < u.latents; start += ${threads * run}u) {
    let first = start + thread * ${run}u;
    var own = 0u;
    for (var i = first; i < min(first + ${run}u, u.latents); i++) { own += u32(fires(z[base + i], lower[i])); }
    var at = before + scan(own, thread, lanes);
    for (var i = first; i < min(first + ${run}u, u.latents); i++) {
      if (at < end && fires(z[base + i], lower[i])) {
        indices[at] = i32(i);
        values[at] = z[base + i];
        at++;
      }
    }
    before += workgroupUniformLoad(&scanTotal);
  }`,
  };
});

/**
 * starts [count + 1]: exclusive prefix sums of counts [count], and their total at the end. If `most` is given, sums are limited
 * to it, and the true total is written to `total` []. Runs as one workgroup.
 */
export const prefixSums = remembered((count: number, most: number | null = null): Program => {
  const threads = threadsFor(count);
  const start = (value: string) => (most === null ? value : `min(${value}, u.most)`);
  return {
    label: 'prefixSums',
    bindings: [
      ['counts', 'read', 'u32'],
      ['starts', 'write', 'u32'],
      ...(most === null ? [] : [['total', 'write', 'u32'] as const]),
    ],
    uniforms: { count: ['u32', count], most: ['u32', most ?? 0] },
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
      starts[i] = ${start('at')};
      at += counts[i];
    }
    before += workgroupUniformLoad(&scanTotal);
  }
  if (thread == 0u) {
    starts[u.count] = ${start('before')};
    ${most === null ? '' : 'total[0] = before;'}
  }`,
  };
});
