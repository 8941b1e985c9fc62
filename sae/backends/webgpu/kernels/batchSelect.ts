/**
 * Selection of the largest of a whole batch of pre-activations z [rows, latents] (`batchTopKEncode` in fusedKernels.ts). Radix
 * selection over all rows: the ranks of ranks.ts order as integers of 31 bits, so three passes, of 11, 10 and 10 bits, find the
 * rank of the last that is kept, the cut. Each pass counts the digits of those ranks whose higher digits are the cut's. What is above the
 * cut is kept, and of what equals it as many as there is room for, in order of rows and latents.
 *
 * `state` is [the cut as far as it is known, how many are to be kept of those that agree with it so far].
 */
import type { Program } from '../programs.ts';
import type { RowBlock } from '../rowBlocks.ts';
import { ranks } from './ranks.ts';
import { remembered } from '../remembered.ts';

const threads = 256;
/** Neighbouring elements that one thread reads in one round of the ordered output. */
const run = 8;
const digits = [
  { above: 31, shift: 20 },
  { above: 20, shift: 10 },
  { above: 10, shift: 0 },
] as const;
export const selectionPasses = digits.length;
const bins = 2 ** (digits[0].above - digits[0].shift);
export const selectionCounters = bins;

interface Block extends RowBlock {
  readonly latents: number;
}

const uniformsOf = ({ rows, latents, firstRow }: Block): Program['uniforms'] => ({
  rows: ['u32', rows],
  latents: ['u32', latents],
  firstRow: ['u32', firstRow],
});

/** Adds the digits of pass `pass` to `counters`, which the pass before left at 0. */
export const countDigits = remembered((block: Block, pass: number): Program => {
  const { above, shift } = digits[pass];
  return {
    label: 'countDigits',
    bindings: [
      ['z', 'read', 'u32'],
      ['state', 'read', 'u32'],
      ['counters', 'write', 'atomic<u32>'],
    ],
    uniforms: uniformsOf(block),
    threads,
    each: ['row', 'u.rows'],
    functions: `${ranks}
var<workgroup> own: array<atomic<u32>, ${bins}>;`,
    body: `
  for (var i = thread; i < ${bins}u; i += ${threads}u) { atomicStore(&own[i], 0u); }
  workgroupBarrier();
  let prefix = state[0] >> ${above}u;
  for (var i = thread; i < u.latents; i += ${threads}u) {
    let key = rank(z[row * u.latents + i]);
    if (key > 0u && (key >> ${above}u) == prefix) {
      atomicAdd(&own[(key >> ${shift}u) & ${2 ** (above - shift) - 1}u], 1u);
    }
  }
  workgroupBarrier();
  for (var i = thread; i < ${bins}u; i += ${threads}u) {
    let count = atomicLoad(&own[i]);
    if (count > 0u) { atomicAdd(&counters[i], count); }
  }`,
  };
});

/** Finds the next digit of the cut and clears the counters; after the last pass writes the cut's value to `least`. Runs as one workgroup. */
export const chooseDigit = remembered((pass: number): Program => {
  const { shift } = digits[pass];
  const each = bins / threads;
  return {
    label: 'chooseDigit',
    bindings: [
      ['counters', 'write', 'u32'],
      ['state', 'write', 'u32'],
      ['least', 'write', 'u32'],
    ],
    uniforms: {},
    threads,
    collectives: { scan: true },
    functions: ranks,
    body: `
  // Thread 0 handles the largest digits.
  let first = ${bins - 1}u - thread * ${each}u;
  var own = 0u;
  for (var i = 0u; i < ${each}u; i++) { own += counters[first - i]; }
  let larger = scan(own, thread, lanes);
  let total = workgroupUniformLoad(&scanTotal);
  let prefix = state[0];
  // Where fewer are positive than were asked for, all of them are kept.
  let wanted = min(state[1], total);
  storageBarrier();
  if (larger < wanted && wanted <= larger + own) {
    var seen = larger;
    for (var i = 0u; i < ${each}u; i++) {
      let count = counters[first - i];
      if (seen < wanted && wanted <= seen + count) {
        state[0] = prefix | ((first - i) << ${shift}u);
        state[1] = wanted - seen;
      }
      seen += count;
    }
  }
  // No rank is as large as this: nothing is kept.
  if (wanted == 0u && thread == 0u) {
    state[0] = 0x7fffffffu;
    state[1] = 0u;
  }
  for (var i = 0u; i < ${each}u; i++) { counters[first - i] = 0u; }
  ${
    pass === digits.length - 1
      ? `storageBarrier();
  if (thread == 0u) { least[0] = select(valueOf(state[0]), 0u, wanted == 0u); }`
      : ''
  }`,
  };
});

/** Counts what is above the cut and what equals it, row by row. */
export const countKept = remembered((block: Block): Program => {
  return {
    label: 'countKept',
    bindings: [
      ['z', 'read', 'u32'],
      ['state', 'read', 'u32'],
      ['above', 'write', 'u32'],
      ['equal', 'write', 'u32'],
    ],
    uniforms: uniformsOf(block),
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: ranks,
    body: `
  let cut = state[0];
  var own = 0u;
  for (var i = thread; i < u.latents; i += ${threads}u) { own += u32(rank(z[row * u.latents + i]) > cut); }
  _ = scan(own, thread, lanes);
  if (thread == 0u) { above[u.firstRow + row] = scanTotal; }
  workgroupBarrier();
  own = 0u;
  for (var i = thread; i < u.latents; i += ${threads}u) { own += u32(rank(z[row * u.latents + i]) == cut); }
  _ = scan(own, thread, lanes);
  if (thread == 0u) { equal[u.firstRow + row] = scanTotal; }`,
  };
});

/** How many entries each row keeps: `before` [rows + 1] are the prefix sums of `equal`. */
export const keptByRow = remembered((rows: number): Program => {
  return {
    label: 'keptByRow',
    bindings: [
      ['state', 'read', 'u32'],
      ['above', 'read', 'u32'],
      ['before', 'read', 'u32'],
      ['kept', 'write', 'u32'],
    ],
    uniforms: { rows: ['u32', rows] },
    threads,
    body: `
  let row = groupIndex * ${threads}u + thread;
  if (row < u.rows) {
    let ties = state[1];
    kept[row] = above[row] + min(ties, before[row + 1u]) - min(ties, before[row]);
  }`,
  };
});
export const keptByRowGroups = (rows: number): number => Math.ceil(rows / threads);

/** Writes what is kept, ascending by row and latent, from rowStart on. */
export const fillKept = remembered((block: Block): Program => {
  return {
    label: 'fillKept',
    bindings: [
      ['z', 'read', 'u32'],
      ['state', 'read', 'u32'],
      ['before', 'read', 'u32'],
      ['rowStart', 'read', 'u32'],
      ['indices', 'write', 'i32'],
      ['values', 'write', 'u32'],
    ],
    uniforms: uniformsOf(block),
    threads,
    each: ['row', 'u.rows'],
    collectives: { scan: true },
    functions: ranks,
    body: `
  let base = row * u.latents;
  let cut = state[0];
  let start = rowStart[u.firstRow + row];
  let ties = min(state[1], before[u.firstRow + row + 1u]) - min(state[1], before[u.firstRow + row]);
  // The first component counts values above the cut, the second one ties with it.
  var found = vec2<u32>(0u);
  for (var round = 0u; round < u.latents; round += ${threads * run}u) {
    let first = round + thread * ${run}u;
    var own = 0u;
    var keys: array<u32, ${run}>;
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < u.latents) {
        keys[i] = rank(z[base + first + i]);
        own += select(select(0u, 0x10000u, keys[i] == cut), 1u, keys[i] > cut);
      }
    }
    let packed = scan(own, thread, lanes);
    var at = found + vec2<u32>(packed & 0xffffu, packed >> 16u);
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < u.latents) {
        let larger = keys[i] > cut;
        let tie = keys[i] == cut;
        if (larger || (tie && at.y < ties)) {
          let entry = start + at.x + min(at.y, ties);
          indices[entry] = i32(first + i);
          values[entry] = valueOf(keys[i]);
        }
        at += vec2<u32>(u32(larger), u32(tie));
      }
    }
    let total = workgroupUniformLoad(&scanTotal);
    found += vec2<u32>(total & 0xffffu, total >> 16u);
  }`,
  };
});
