/**
 * The k largest of a list that a workgroup shares, in WGSL for kernels to include: finding the k-th largest, and writing the
 * choice in the order of the list. Radix selection: the bits of a positive float order as integers, so a few passes, each
 * over one digit, find the k-th largest exactly for any k. Zeros are not counted but inferred: half of all pre-activations
 * would meet in one counter.
 *
 * A kernel has a uniform `k` and defines `fn keyOf(row: u32, i: u32) -> u32`, the rank of a list's element.
 */

/** Neighbours that one thread looks at in one round of the ordered output. */
const run = 8;

/**
 * `rank(bits)` of a float orders floats as topKEncode does: 0 for those that never fire, `notFinite`, above every
 * number, for NaN and infinity. `valueOf(rank)` is what it comes out as, in bits.
 */
export const ranks = `
const notFinite = 0x7f800000u;
fn rank(bits: u32) -> u32 {
  if ((bits & notFinite) == notFinite) { return select(notFinite, 0u, bits == 0xff800000u); }
  return select(bits, 0u, (bits >> 31u) == 1u);
}
fn valueOf(rank: u32) -> u32 { return select(rank, 0x7fc00000u, rank == notFinite); }`;

export interface RadixSelection {
  /** Of the kernel. */
  readonly functions: string;
  /** Leaves `kth`, the k-th largest key (0: fewer are above 0), and `ties`, how many equal to it are among the k. */
  readonly search: string;
}

/**
 * For workgroups of `threads`; `length` in WGSL, the same for all of them. `wide`: three digits instead of four, for which
 * clearing 2,048 counters has to pay. Needs `scan`.
 */
export function radixSelection(threads: number, length: string, wide: boolean): RadixSelection {
  const digits = wide ? [11, 11, 9] : [8, 8, 8, 7];
  const bins = 2 ** digits[0];
  const each = bins / threads;
  const shifts = digits.map((_, i) => 31 - digits.slice(0, i + 1).reduce((sum, bits) => sum + bits, 0));
  const narrowings = shifts.map(
    (shift, i) =>
      `narrow(row, ${length}, kth, ${i === 0 ? 31 : shifts[i - 1]}u, ${shift}u, thread, lanes);
    kth |= workgroupUniformLoad(&bin) << ${shift}u;`,
  );
  return {
    functions: `
var<workgroup> counters: array<atomic<u32>, ${bins}>;
var<workgroup> bin: u32;
var<workgroup> wanted: u32;

// Narrows the range of the k-th largest by one digit: [prefix, prefix + 2^shift) after it.
fn narrow(row: u32, length: u32, prefix: u32, above: u32, shift: u32, thread: u32, lanes: u32) {
  for (var i = thread; i < ${bins}u; i += ${threads}u) { atomicStore(&counters[i], 0u); }
  workgroupBarrier();
  for (var i = thread; i < length; i += ${threads}u) {
    let key = keyOf(row, i);
    if (key > 0u && (key >> above) == (prefix >> above)) {
      atomicAdd(&counters[(key >> shift) & ((1u << (above - shift)) - 1u)], 1u);
    }
  }
  workgroupBarrier();
  // Thread 0 has the largest digits.
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
    search: `
  var kth = 0u;
  if (thread == 0u) {
    wanted = u.k;
    bin = 0u;
  }
  ${narrowings[0]}
  let positive = workgroupUniformLoad(&scanTotal);
  if (positive < u.k) {
    // Fewer than k fire: all of them, and the first of the others.
    if (thread == 0u) { wanted = u.k - positive; }
    workgroupBarrier();
  } else {
    ${narrowings.slice(1).join('\n    ')}
  }
  let ties = workgroupUniformLoad(&wanted);`,
  };
}

/**
 * Writes the chosen elements of a list to `indices` and `values`, in the list's order, from `out` (of the kernel's code)
 * on, leaving room for `ties` that come later. `before` afterwards: how many were larger than the k-th, and as large.
 *
 * `index`: of element `first + i`. `hold`, for a list that is being overwritten: what to keep of it in registers.
 */
export function orderedChoice(
  threads: number,
  list: { length: string; index: string; hold?: { declare: string; load: string } },
): string {
  const { length, index, hold } = list;
  return `
  var before = vec2<u32>(0u);
  for (var start = 0u; start < ${length}; start += ${threads * run}u) {
    // Larger ones counted in the low half, ties in the high half.
    var own = 0u;
    var keys: array<u32, ${run}>;
    ${hold ? `var held: array<${hold.declare}, ${run}>;` : ''}
    let first = start + thread * ${run}u;
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < ${length}) {
        keys[i] = keyOf(row, first + i);
        ${hold ? `held[i] = ${hold.load};` : ''}
        own += select(select(0u, 0x10000u, keys[i] == kth), 1u, keys[i] > kth);
      }
    }
    ${hold ? 'storageBarrier();' : ''}
    let packed = scan(own, thread, lanes);
    var at = before + vec2<u32>(packed & 0xffffu, packed >> 16u);
    for (var i = 0u; i < ${run}u; i++) {
      if (first + i < ${length}) {
        let larger = keys[i] > kth;
        let tie = keys[i] == kth;
        if (larger || (tie && at.y < ties)) {
          let entry = out + at.x + min(at.y, ties);
          indices[entry] = ${index};
          values[entry] = valueOf(keys[i]);
        }
        at += vec2<u32>(u32(larger), u32(tie));
      }
    }
    let total = workgroupUniformLoad(&scanTotal);
    before += vec2<u32>(total & 0xffffu, total >> 16u);
  }`;
}
