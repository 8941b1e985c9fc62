/** Products and quotients by a number that the host has. */
import type { Program } from '../programs.ts';
import { remembered } from '../remembered.ts';
import { elementwiseGroups } from './elementwise.ts';

const threads = 256;

/** out [size] = factor · x, four at a time where they can be. Its workgroups are those of `scaleGroups`. */
export const scale = remembered((size: number, factor: number): Program => {
  const wide = size % 4 === 0;
  const element = wide ? 'vec4<f32>' : 'f32';
  return {
    label: 'scale',
    bindings: [
      ['x', 'read', element],
      ['out', 'write', element],
    ],
    uniforms: { size: ['u32', wide ? size / 4 : size], factor: ['f32', factor] },
    threads,
    body: `
  let i = groupIndex * ${threads}u + thread;
  if (i >= u.size) { return; }
  out[i] = x[i] * u.factor;`,
  };
});

export const scaleGroups = (size: number) => elementwiseGroups(size % 4 === 0 ? size / 4 : size);

/** out [1] = numerator / denominator[0], and 0 where that is 0. Runs as one workgroup. */
export const quotientOrZero = remembered((numerator: number): Program => ({
  label: 'quotientOrZero',
  bindings: [
    ['denominator', 'read', 'f32'],
    ['out', 'write', 'f32'],
  ],
  uniforms: { numerator: ['f32', numerator] },
  threads: 1,
  body: `
  let by = denominator[0];
  let isZero = (bitcast<u32>(by) & 0x7fffffffu) == 0u;
  if (isZero) { out[0] = 0.0; } else { out[0] = u.numerator / by; }`,
}));
