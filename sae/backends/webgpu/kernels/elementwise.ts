/**
 * WGSL of element-wise functions whose results for NaN, infinities and subnormals are part of what they mean. TF.js's versions compare
 * and compute on floats, and WGSL lets compilers assume that floats are neither NaN nor infinite, and lets devices take subnormals
 * for 0: on NVIDIA's driver `relu` of NaN is 0. These versions get bits and decide by them, and compute with floats where those are ordinary.
 */
import type { Program } from '../programs.ts';
import { power } from './power.ts';
import { remembered } from '../remembered.ts';

const threads = 256;

/** Functions for the expressions below. `order` maps numbers to integers in the same order, −0 and 0 to the same. */
const bits = `
const infinity = 0x7f800000u;
const one = 0x3f800000u;
const notANumber = 0x7fc00000u;
fn isNan(x: u32) -> bool { return (x & 0x7fffffffu) > infinity; }
fn isNegative(x: u32) -> bool { return x > 0x80000000u && x <= 0xff800000u; }
fn isPositive(x: u32) -> bool { return x > 0u && x <= infinity; }
fn order(x: u32) -> u32 {
  if ((x & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(x | 0x80000000u, ~x, (x >> 31u) == 1u);
}
fn magnitude(x: u32, most: f32) -> f32 { return bitcast<f32>(min(x & 0x7fffffffu, bitcast<u32>(most))); }
fn number(x: f32) -> u32 { return bitcast<u32>(x); }`;

/** e^x − 1 for negative x, which is −1 from −88 on. */
const expBelow = '(exp(-magnitude(x, 88.0)) - 1.0)';

/** WGSL of functions of `x`, and of the number `u.alpha` where there is one, from bits to bits; NaN is returned by all but `Sign`. */
export const unaryBodies = {
  Relu: 'return select(x, 0u, isNegative(x));',
  Relu6: 'return select(select(x, 0x40c00000u, isPositive(x) && x > 0x40c00000u), 0u, isNegative(x));',
  LeakyRelu: 'if (isNegative(x)) { return number(u.alpha * bitcast<f32>(x)); }\n  return x;',
  Elu: `if (isNegative(x)) { return number${expBelow}; }\n  return x;`,
  Selu: `if (isNan(x)) { return x; }
  if (isNegative(x)) { return number(1.7580993408473768 * ${expBelow}); }
  if (x == infinity) { return x; }
  return number(1.0507009873554805 * bitcast<f32>(x));`,
  Sigmoid: `if (isNan(x)) { return x; }
  let small = exp(-magnitude(x, 88.0));
  return number(select(1.0, small, isNegative(x)) / (1.0 + small));`,
  Softplus: `if (isNan(x) || x == infinity) { return x; }
  let rest = log(1.0 + exp(-magnitude(x, 88.0)));
  return number(select(bitcast<f32>(x), 0.0, isNegative(x)) + rest);`,
  Log1p: `if (isNan(x) || x == infinity) { return x; }
  if (isNegative(x) && x >= 0xbf800000u) { return select(notANumber, 0xff800000u, x == 0xbf800000u); }
  return number(log(1.0 + bitcast<f32>(x)));`,
  Step: 'if (isNan(x)) { return x; }\n  return select(number(u.alpha), one, isPositive(x));',
  Sign: 'return select(select(0u, one, isPositive(x)), one | 0x80000000u, isNegative(x));',
} as const;

const comparison = (test: string) => `return select(0u, 1u, !isNan(x) && !isNan(y) && ${test});`;

/** WGSL of functions of `x` and `y`, from bits to bits, or to 1 and 0 in those that compare. */
export const binaryBodies = {
  Maximum: `if (isNan(x) || isNan(y)) { return notANumber; }\n  return select(y, x, order(x) > order(y));`,
  Minimum: `if (isNan(x) || isNan(y)) { return notANumber; }\n  return select(y, x, order(x) < order(y));`,
  Pow: 'return power(x, y);',
  Greater: comparison('order(x) > order(y)'),
  GreaterEqual: comparison('order(x) >= order(y)'),
  Less: comparison('order(x) < order(y)'),
  LessEqual: comparison('order(x) <= order(y)'),
  Equal: comparison('order(x) == order(y)'),
  NotEqual: 'return select(0u, 1u, isNan(x) || isNan(y) || order(x) != order(y));',
} as const;

/** out [size] = f(x), four at a time where they can be; `alpha` is the function's parameter. */
export const unary = remembered((name: keyof typeof unaryBodies, size: number, alpha: number): Program => {
  const wide = size % 4 === 0;
  const element = wide ? 'vec4<u32>' : 'u32';
  const each = wide ? 'vec4<u32>(f(x.x), f(x.y), f(x.z), f(x.w))' : 'f(x)';
  return {
    label: `elementwise${name}`,
    bindings: [
      ['values', 'read', element],
      ['out', 'write', element],
    ],
    uniforms: { size: ['u32', wide ? size / 4 : size], alpha: ['f32', alpha] },
    threads,
    functions: `${bits}\nfn f(x: u32) -> u32 {\n  ${unaryBodies[name]}\n}`,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  let x = values[i];
  out[i] = ${each};`,
  };
});

/** Number of workgroups of it. */
export const unaryGroups = (size: number) => elementwiseGroups(size % 4 === 0 ? size / 4 : size);

/** out [size] = integers as floats. */
export const toFloats = remembered((size: number): Program => {
  return {
    label: 'elementwiseToFloats',
    bindings: [
      ['values', 'read', 'i32'],
      ['out', 'write', 'f32'],
    ],
    uniforms: { size: ['u32', size] },
    threads,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  out[i] = f32(values[i]);`,
  };
});

/** One axis of the result, or several that are one for both operands: its length, and by how much its index moves each operand. */
export interface BroadcastAxis {
  readonly length: number;
  readonly left: number;
  readonly right: number;
}

/** out = f(left, right), broadcast along `axes`, the last of which is contiguous in memory. */
export const binary = remembered(
  (name: keyof typeof binaryBodies, axes: readonly BroadcastAxis[]): Program => {
    const size = axes.reduce((product, { length }) => product * length, 1);
    const uniforms: Record<string, readonly ['u32', number]> = { size: ['u32', size] };
    axes.forEach(({ length, left, right }, i) => {
      uniforms[`length${i}`] = ['u32', length];
      uniforms[`left${i}`] = ['u32', left];
      uniforms[`right${i}`] = ['u32', right];
    });
    const places = axes.map((_, i) => i).reverse();
    return {
      label: `elementwise${name}`,
      bindings: [
        ['left', 'read', 'u32'],
        ['right', 'read', 'u32'],
        ['out', 'write', 'u32'],
      ],
      uniforms,
      threads,
      functions: `${bits}\n${name === 'Pow' ? power : ''}\nfn f(x: u32, y: u32) -> u32 {\n  ${binaryBodies[name]}\n}`,
      body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  var rest = i;
  var p = 0u;
  var q = 0u;
${places
  .map((n) => {
    const at = n === 0 ? 'rest' : `rest % u.length${n}`;
    return `  { let at = ${at}; p += at * u.left${n}; q += at * u.right${n}; }${n === 0 ? '' : `\n  rest /= u.length${n};`}`;
  })
  .join('\n')}
  out[i] = f(left[p], right[q]);`,
    };
  },
);

/** Number of workgroups of the others. */
export const elementwiseGroups = (size: number) => Math.ceil(size / threads);
