/**
 * Regroups entries by latent, without floating-point atomics and without a sort, so that sums over a
 * latent's entries have a fixed order: there is a bit for each (latent, row); bits are set in any order and read in ascending order.
 *
 * A second set of entries (AuxK's) may share the bits: its rows follow those of the first, from the next multiple of
 * 32 on. One latent occurs at most once a row, so a bit leads back to its entry.
 */
import { type Program, withUniforms } from '../programs.ts';
import { fires } from './fires.ts';
import { remembered } from '../remembered.ts';

const threads = 64;

/** Sets the bit of each entry in `bits` [latents, words]; row r of the entries becomes row 32·firstWord + r. */
export const markBits = remembered((size: { rows: number; words: number; firstWord: number }): Program => {
  const { rows, words, firstWord } = size;
  return {
    label: 'markBits',
    bindings: [
      ['rowStart', 'read', 'u32'],
      ['indices', 'read', 'u32'],
      ['bits', 'write', 'atomic<u32>'],
    ],
    uniforms: { rows: ['u32', rows], words: ['u32', words], firstWord: ['u32', firstWord] },
    threads,
    each: ['row', 'u.rows'],
    body: `
  for (var e = rowStart[row] + thread; e < rowStart[row + 1u]; e += ${threads}u) {
    atomicOr(&bits[indices[e] * u.words + u.firstWord + row / 32u], 1u << (row % 32u));
  }`,
  };
});

/** counts [latents]: how many bits of each latent are set. */
export const countBits = remembered((size: { latents: number; words: number }): Program => {
  return {
    label: 'countBits',
    bindings: [
      ['bits', 'read', 'u32'],
      ['counts', 'write', 'u32'],
    ],
    uniforms: { latents: ['u32', size.latents], words: ['u32', size.words] },
    threads,
    each: ['latent', 'u.latents'],
    collectives: { scan: true },
    body: `
  var own = 0u;
  for (var w = thread; w < u.words; w += ${threads}u) { own += countOneBits(bits[latent * u.words + w]); }
  _ = scan(own, thread, lanes);
  if (thread == 0u) { counts[latent] = scanTotal; }`,
  };
});

/** WGSL that finds the entry of a latent in a row by binary search, since latents ascend within a row. */
const entryOf = `
fn entryOf(row: u32, latent: u32) -> u32 {
  var low = rowStart[row];
  var high = rowStart[row + 1u] - 1u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (indices[middle] < latent) { low = middle + 1u; } else { high = middle; }
  }
  return low;
}`;

/** How many entries of each latent fire, and Σ f over them. */
export const firingsOf = remembered(
  (size: { latents: number; words: number; threshold: boolean }): Program => {
    const { latents, words, threshold } = size;
    return {
      label: 'firings',
      bindings: [
        ['bits', 'read', 'u32'],
        ['rowStart', 'read', 'u32'],
        ['indices', 'read', 'u32'],
        ['values', 'read', 'u32'],
        ['counts', 'write', 'i32'],
        ['sums', 'write', 'f32'],
        ...(threshold ? [['threshold', 'read', 'f32'] as const] : []),
      ],
      uniforms: { latents: ['u32', latents], words: ['u32', words] },
      threads,
      each: ['latent', 'u.latents'],
      collectives: { scan: true, sum: threads },
      functions: `
${fires}
${entryOf}`,
      body: `
  let theta = ${threshold ? 'threshold[latent]' : '0.0'};
  var count = 0u;
  var total = 0.0;
  for (var w = thread; w < u.words; w += ${threads}u) {
    var word = bits[latent * u.words + w];
    while (word != 0u) {
      let value = values[entryOf(w * 32u + firstTrailingBit(word), latent)];
      if (fires(value, theta)) {
        count++;
        total += bitcast<f32>(value);
      }
      word &= word - 1u;
    }
  }
  _ = scan(count, thread, lanes);
  let all = sumOf(total, thread, lanes);
  if (thread == 0u) {
    counts[latent] = i32(scanTotal);
    sums[latent] = all;
  }`,
    };
  },
);

/** Where the parts of the latents' table begin, in multiples of the number of latents; four scalars follow them. A gate has two of its own there. */
export const tableParts = { threshold: 0, norm: 1, gain: 0, bMag: 1, scalars: 2 } as const;
/** The scalars at the end of the table, in order. */
export const tableScalars = ['mainScale', 'auxiliaryScale', 'l0Gradient', 'gateScale'] as const;

export interface FillTerm {
  latents: number;
  words: number;
  /** The words of this loss term's rows are [firstWord, endWord). */
  firstWord: number;
  endWord: number;
  /**
   * What an entry contributes: as part of the main or the auxiliary loss term, or, with `outer`, its value. With `gate` it is at hand, and the list's
   * fourth number is that of the entry (gated.ts).
   */
  kind: 'main' | 'auxiliary' | 'outer' | 'gate';
  /** Coefficient of Σ f ‖W_dec‖; 0 leaves it out. */
  l1: number;
  /** ε of the rectangle kernel; null where the threshold does not learn. */
  bandwidth: number | null;
}

/**
 * Writes the entries of each latent in the order of rows, with their contributions to its gradients (METHODS.md §1):
 * (row, coefficient of the error row in ∂W_dec, ∂L/∂z, ∂L/∂θ). Floats are stored by their bits.
 */
export function fillList(term: FillTerm): Program {
  const { l1 } = term;
  return withUniforms(fillProgram(l1 === 0 ? term : { ...term, l1: 1 }), { l1: ['f32', l1] });
}

const fillProgram = remembered((term: FillTerm): Program => {
  const { latents, words, firstWord, endWord, kind, l1, bandwidth } = term;
  const scale = `table[${tableParts.scalars}u * u.latents + ${kind === 'auxiliary' ? 1 : 0}u]`;
  const ofLossTerm = `let bits = values[e];
  let z = bitcast<f32>(bits);
  let theta = ${bandwidth === null ? '0.0' : `table[latent]`};
  let on = fires(bits, theta);
  let scale = ${scale};
  let gradF = scale * dots[e] ${l1 === 0 ? '' : `+ u.l1 * table[u.latents + latent]`};
  var gradTheta = 0.0;
  ${
    bandwidth === null
      ? ''
      : `if (abs(z - theta) < u.bandwidth / 2.0) {
    gradTheta = -(gradF * theta + table[${tableParts.scalars}u * u.latents + 2u]) / u.bandwidth;
  }`
  }
  return vec4<u32>(row, bitcast<u32>(select(0.0, scale * z, on)), bitcast<u32>(select(0.0, gradF, on)), bitcast<u32>(gradTheta));`;
  return {
    label: 'fillList',
    bindings: [
      ['bits', 'read', 'u32'],
      ['latentStart', 'read', 'u32'],
      ['rowStart', 'read', 'u32'],
      ['indices', 'read', 'u32'],
      ...(kind === 'gate' ? [['made', 'read', 'vec4<f32>'] as const] : [['values', 'read', 'u32'] as const]),
      ...(kind === 'outer' || kind === 'gate'
        ? []
        : ([
            ['dots', 'read', 'f32'],
            ['table', 'read', 'f32'],
          ] as const)),
      ['list', 'write', 'vec4<u32>'],
    ],
    uniforms: {
      latents: ['u32', latents],
      words: ['u32', words],
      firstWord: ['u32', firstWord],
      endWord: ['u32', endWord],
      l1: ['f32', l1],
      bandwidth: ['f32', bandwidth ?? 0],
    },
    threads,
    each: ['latent', 'u.latents'],
    collectives: { scan: true },
    functions: `
${fires}
${entryOf}
fn contribution(row: u32, latent: u32) -> vec4<u32> {
  let e = entryOf(row - u.firstWord * 32u, latent);
  ${
    {
      outer: 'return vec4<u32>(row, values[e], 0u, 0u);',
      gate: 'return vec4<u32>(row, bitcast<u32>(made[e].x), bitcast<u32>(made[e].y), e);',
      main: ofLossTerm,
      auxiliary: ofLossTerm,
    }[kind]
  }
}`,
    body: `
  var before = latentStart[latent];
  // Counts the entries of this latent that earlier terms have written.
  var earlier = 0u;
  for (var w = thread; w < u.firstWord; w += ${threads}u) { earlier += countOneBits(bits[latent * u.words + w]); }
  _ = scan(earlier, thread, lanes);
  before += workgroupUniformLoad(&scanTotal);
  for (var start = u.firstWord; start < u.endWord; start += ${threads}u) {
    let w = start + thread;
    var word = 0u;
    if (w < u.endWord) { word = bits[latent * u.words + w]; }
    var at = before + scan(countOneBits(word), thread, lanes);
    while (word != 0u) {
      list[at] = contribution(w * 32u + firstTrailingBit(word), latent);
      at++;
      word &= word - 1u;
    }
    before += workgroupUniformLoad(&scanTotal);
  }`,
  };
});

/** sums [3, latents]: Σ ∂L/∂z (∂b_enc), Σ ∂L/∂θ · θ (∂ log θ) and Σ of the decoder's coefficients of the first term. */
export const latentSums = remembered(
  (size: { latents: number; secondRows: number; jump: boolean }): Program => {
    const { latents, secondRows, jump } = size;
    return {
      label: 'latentSums',
      bindings: [
        ['latentStart', 'read', 'u32'],
        ['list', 'read', 'vec4<u32>'],
        ['sums', 'write', 'f32'],
        ...(jump ? [['table', 'read', 'f32'] as const] : []),
      ],
      uniforms: { latents: ['u32', latents], secondRows: ['u32', secondRows] },
      threads,
      each: ['latent', 'u.latents'],
      collectives: { sum: threads },
      body: `
  var own = vec3<f32>(0.0);
  for (var e = latentStart[latent] + thread; e < latentStart[latent + 1u]; e += ${threads}u) {
    let entry = list[e];
    let coefficient = select(0.0, bitcast<f32>(entry.y), entry.x < u.secondRows);
    own += vec3<f32>(bitcast<f32>(entry.z), bitcast<f32>(entry.w), coefficient);
  }
  let x = sumOf(own.x, thread, lanes);
  let y = sumOf(own.y, thread, lanes);
  let z = sumOf(own.z, thread, lanes);
  if (thread == 0u) {
    sums[latent] = x;
    sums[u.latents + latent] = y ${jump ? '* table[latent]' : ''};
    sums[2u * u.latents + latent] = z;
  }`,
    };
  },
);
