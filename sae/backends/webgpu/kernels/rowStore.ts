/**
 * Rows of activations in memory of the device, in the number type of a capture: a row of float16 takes ⌈d/2⌉ words, two numbers each, the first in the lower half. Everything
 * is computed on the bits, since WGSL lets a device flush subnormals, round numbers that don't fit to anything, and assume that no float is infinite.
 */
import type { RowType } from '../../../ops/rowStore.ts';
import { type Program, withUniforms } from '../programs.ts';
import { remembered } from '../remembered.ts';

/** Words of 4 bytes that a stored row of d numbers takes. */
export const wordsOf = (dtype: RowType, d: number) => (dtype === 'float16' ? Math.ceil(d / 2) : d);

/** WGSL of float32ToFloat16 and float16ToFloat32 of sae/formats/float16.ts. */
const halves = `
fn toHalf(word: u32) -> u32 {
  let sign = (word >> 16u) & 0x8000u;
  let magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x47800000u) { return sign | 0x7c00u; }
  // Normal: rebias the exponent (127 → 15) and round away 13 bits; a carry runs into the exponent as it should.
  if (magnitude >= 0x38800000u) {
    return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u);
  }
  if (magnitude < 0x33000000u) { return sign; }
  // Subnormal: shift the full mantissa to units of 2⁻²⁴.
  let shift = 126u - (magnitude >> 23u);
  let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  return sign | ((mantissa + (1u << (shift - 1u)) - 1u + ((mantissa >> shift) & 1u)) >> shift);
}
fn fromHalf(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 31u;
  let fraction = bits & 0x3ffu;
  if (exponent == 31u) { return sign | select(0x7f800000u, 0x7fc00000u, fraction != 0u); }
  if (exponent != 0u) { return sign | ((exponent + 112u) << 23u) | (fraction << 13u); }
  if (fraction == 0u) { return sign; }
  // Subnormal: its highest bit becomes the one that a float32 leaves out.
  let up = countLeadingZeros(fraction) - 21u;
  return sign | ((113u - up) << 23u) | (((fraction << up) & 0x3ffu) << 13u);
}`;

/**
 * WGSL of sums of squares as the host computes them, in double precision, one after the other, rounded to nearest, ties to even. A positive sum is m · 2^exponent with
 * 2⁵² ≤ m < 2⁵³, and m in two words, the lower one first.
 */
const doubles = `
struct Sum { m: vec2<u32>, exponent: i32 }

fn up(v: vec2<u32>, n: u32) -> vec2<u32> {
  if (n == 0u) { return v; }
  if (n >= 32u) { return vec2<u32>(0u, v.x << (n - 32u)); }
  return vec2<u32>(v.x << n, (v.y << n) | (v.x >> (32u - n)));
}
/** n < 64. The last bit says too whether any that went was set, so that rounding later is right. */
fn down(v: vec2<u32>, n: u32) -> vec2<u32> {
  if (n == 0u) { return v; }
  var kept = vec2<u32>((v.x >> (n % 32u)) | (v.y << ((32u - n) % 32u)), v.y >> (n % 32u));
  var lost = v.x << ((32u - n) % 32u);
  if (n == 32u) { kept = vec2<u32>(v.y, 0u); lost = v.x; }
  if (n > 32u) { kept = vec2<u32>(v.y >> (n - 32u), 0u); lost = v.x | (v.y << (64u - n)); }
  return vec2<u32>(kept.x | select(0u, 1u, lost != 0u), kept.y);
}
fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}
/** The square of a finite float32 that isn't zero, which a double holds exactly. */
fn squareOf(magnitude: u32) -> Sum {
  let field = magnitude >> 23u;
  let m = select((magnitude & 0x7fffffu) | 0x800000u, magnitude, field == 0u);
  let high = m >> 12u;
  let low = m & 0xfffu;
  let middle = 2u * high * low;
  let square = plus(plus(up(vec2<u32>(high * high, 0u), 24u), up(vec2<u32>(middle, 0u), 12u)), vec2<u32>(low * low, 0u));
  let zeros = select(countLeadingZeros(square.y), 32u + countLeadingZeros(square.x), square.y == 0u);
  return Sum(up(square, zeros - 11u), 2 * (max(i32(field), 1) - 150) - i32(zeros - 11u));
}
fn sumOf(a: Sum, b: Sum) -> Sum {
  if (all(a.m == vec2<u32>(0u))) { return b; }
  if (a.exponent < b.exponent) { return sumOfOrdered(b, a); }
  return sumOfOrdered(a, b);
}
fn sumOfOrdered(larger: Sum, smaller: Sum) -> Sum {
  let apart = u32(larger.exponent - smaller.exponent);
  // Less than half of the last place.
  if (apart >= 54u) { return larger; }
  // Ten bits more than fit, and room for a carry above them.
  let sum = plus(up(larger.m, 10u), down(up(smaller.m, 10u), apart));
  let spare = select(10u, 11u, (sum.y >> 31u) == 1u);
  let rest = sum.x & ((1u << spare) - 1u);
  let half = 1u << (spare - 1u);
  var m = vec2<u32>((sum.x >> spare) | (sum.y << (32u - spare)), sum.y >> spare);
  var exponent = larger.exponent + i32(spare) - 10;
  if (rest > half || (rest == half && (m.x & 1u) == 1u)) { m = plus(m, vec2<u32>(1u, 0u)); }
  if (m.y == 0x200000u) { m = vec2<u32>(m.x >> 1u, 0x100000u); exponent++; }
  return Sum(m, exponent);
}`;

const normThreads = 64;

/**
 * squares [rows, 2]: the bits of the double Σ x² of each row of x [rows, d] as it would be stored, those of infinity where a number doesn't fit. A thread a
 * row, because the host adds in this order too.
 */
export const storedSquares = remembered((size: { dtype: RowType; rows: number; d: number }): Program => {
  const { dtype, rows, d } = size;
  const stored = dtype === 'float16' ? 'fromHalf(toHalf(x[at + column]))' : 'x[at + column]';
  return {
    label: 'storedSquares',
    bindings: [
      ['x', 'read', 'u32'],
      ['squares', 'write', 'u32'],
    ],
    uniforms: { rows: ['u32', rows], d: ['u32', d] },
    threads: normThreads,
    functions: `${dtype === 'float16' ? halves : ''}${doubles}`,
    body: `
  let row = groupIndex * ${normThreads}u + thread;
  if (row >= u.rows) { return; }
  let at = row * u.d;
  var sum = Sum(vec2<u32>(0u), 0);
  var fits = true;
  for (var column = 0u; column < u.d; column++) {
    let magnitude = ${stored} & 0x7fffffffu;
    fits = fits && magnitude < 0x7f800000u;
    if (magnitude != 0u && fits) { sum = sumOf(sum, squareOf(magnitude)); }
  }
  var high = 0u;
  if (any(sum.m != vec2<u32>(0u))) { high = (sum.m.y & 0xfffffu) | (u32(sum.exponent + 1075) << 20u); }
  squares[2u * row] = select(0u, sum.m.x, fits);
  squares[2u * row + 1u] = select(0x7ff00000u, high, fits);`,
  };
});

/** Number of workgroups of storedSquares. */
export const squaresGroups = (rows: number) => Math.ceil(rows / normThreads);

interface Rows {
  readonly dtype: RowType;
  readonly count: number;
  readonly d: number;
}
const threads = 64;
const rowUniforms = ({ dtype, count, d }: Rows) =>
  ({ count: ['u32', count], d: ['u32', d], words: ['u32', wordsOf(dtype, d)] }) as const;
/** Numbers of rows and places change from dispatch to dispatch. */
const noRows = (dtype: RowType) => rowUniforms({ dtype, count: 0, d: 0 });
const everyWord = (body: string) => `
  for (var word = thread; word < u.words; word += ${threads}u) { ${body} }`;

/** A workgroup for each of `count` rows of x [.., d], whose numbers are in `rows` from `first` on: the rows of the store from `place` on. */
export function storeRows(size: Rows & { first: number; place: number }): Program {
  const { first, place } = size;
  return withUniforms(storeProgram(size.dtype), {
    ...rowUniforms(size),
    first: ['u32', first],
    place: ['u32', place],
  });
}

const storeProgram = remembered((dtype: RowType): Program => {
  const stored =
    dtype === 'float16'
      ? `
    let column = 2u * word;
    var pair = toHalf(x[source + column]);
    if (column + 1u < u.d) { pair |= toHalf(x[source + column + 1u]) << 16u; }
    store[to + word] = pair;`
      : 'store[to + word] = x[source + word];';
  return {
    label: 'storeRows',
    bindings: [
      ['x', 'read', 'u32'],
      ['rows', 'read', 'u32'],
      ['store', 'write', 'u32'],
    ],
    uniforms: { ...noRows(dtype), first: ['u32', 0], place: ['u32', 0] },
    threads,
    each: ['row', 'u.count'],
    functions: dtype === 'float16' ? halves : '',
    body: `
  let source = rows[u.first + row] * u.d;
  let to = (u.place + row) * u.words;${everyWord(stored)}`,
  };
});

/** A workgroup for each of `count` pairs of a place in the store and a row of `out` [.., d], which becomes what is stored there, widened. */
export const widenPlaces = (size: Rows): Program => withUniforms(widenProgram(size.dtype), rowUniforms(size));

const widenProgram = remembered((dtype: RowType): Program => {
  const widened =
    dtype === 'float16'
      ? `
    let column = 2u * word;
    let pair = store[source + word];
    out[to + column] = fromHalf(pair & 0xffffu);
    if (column + 1u < u.d) { out[to + column + 1u] = fromHalf(pair >> 16u); }`
      : 'out[to + word] = store[source + word];';
  return {
    label: 'widenPlaces',
    bindings: [
      ['store', 'read', 'u32'],
      ['pairs', 'read', 'vec2<u32>'],
      ['out', 'write', 'u32'],
    ],
    uniforms: noRows(dtype),
    threads,
    each: ['row', 'u.count'],
    functions: dtype === 'float16' ? halves : '',
    body: `
  let source = pairs[row].x * u.words;
  let to = pairs[row].y * u.d;${everyWord(widened)}`,
  };
});

/** A workgroup for each of `count` pairs of places, in the store and in another of the same type. */
export const copyPlaces = (size: Rows): Program => withUniforms(copyProgram(), rowUniforms(size));

const copyProgram = remembered((): Program => {
  return {
    label: 'copyPlaces',
    bindings: [
      ['store', 'read', 'u32'],
      ['pairs', 'read', 'vec2<u32>'],
      ['copy', 'write', 'u32'],
    ],
    uniforms: noRows('float32'),
    threads,
    each: ['row', 'u.count'],
    body: `
  let source = pairs[row].x * u.words;
  let to = pairs[row].y * u.words;${everyWord('copy[to + word] = store[source + word];')}`,
  };
});
