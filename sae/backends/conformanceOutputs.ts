/** The outputs of a conformance case, how they are compared, and what a backend is known to do differently. */
import { tf } from '../tensor/tf.ts';
import type { BackendName } from './backend.ts';
import type { ConformanceCase } from './conformanceCases.ts';

/** By the names of the cases. */
const known: Partial<Record<BackendName, readonly (readonly [cases: RegExp, reason: string])[]>> = {
  wasm: [
    [/^relu6 of special/, 'TF.js wasm maps NaN to 0'],
    [/^where of flags/, 'TF.js wasm writes four bytes for each flag, past the end of its memory'],
    [/^clipByValue of special/, 'TF.js wasm maps NaN to the minimum'],
    [/^sign of special/, 'TF.js wasm maps subnormals to 0'],
    [/^cast float32 → bool/, 'TF.js wasm truncates to an integer first'],
    [/^cast int32 → bool/, 'TF.js wasm keeps the integer'],
    [/^(maximum|minimum) of special/, 'TF.js wasm does not propagate NaN'],
    [/^pow of special/, "TF.js wasm follows C's pow(1, ∞) = 1"],
    [/^matMul 13×0×16/, 'TF.js wasm leaves a product of depth 0 uninitialised'],
    [/^oneHot float32/, 'TF.js wasm has only integers'],
  ],
  tensorflow: [
    [
      /^(step|floor|ceil|mul|div|pow|greater|greaterEqual|less|lessEqual|equal|notEqual) of special|^pow to the 0.5/,
      'TensorFlow takes subnormals for 0',
    ],
    [/^sign of special/, 'TensorFlow keeps NaN, where TF.js says 0'],
    [/^cast float32 → int32/, 'TensorFlow does not say what becomes of numbers beyond the integers'],
  ],
  webgpu: [
    [/^div of special/, 'GPUs may take subnormals for 0'],
    [/^(sin|cos) /, 'WGSL promises 2⁻¹¹ between −π and π'],
    [/^add .* int32$/, 'TF.js webgpu adds integers as floats: wrong beyond 2²⁴'],
    [/^sum of nothing/, 'TF.js webgpu divides by the length'],
    [/^argMax of ties/, 'TF.js webgpu leaves a scalar one axis'],
    [/^prod .* kept$/, 'TF.js webgpu forgets keepDims'],
  ],
};

/** Why a backend is not held to a case; undefined where it is. */
export function knownDifference(backend: BackendName, caseName: string): string | undefined {
  return known[backend]?.find(([cases]) => cases.test(caseName))?.[1];
}

export interface Output {
  shape: readonly number[];
  dtype: string;
  values: readonly number[];
}

/** Runs a case on the active backend. */
export function outputsOf(c: ConformanceCase): Output[] {
  const result = c.run();
  const list = Array.isArray(result) ? result : [result];
  const read = list.map((t) => ({ shape: t.shape, dtype: t.dtype, values: Array.from(t.dataSync()) }));
  tf.dispose(list);
  return read;
}

/** The first difference in words; null where there is none beyond the tolerance, which is relative to 1 + |expected|. */
export function difference(
  actual: readonly Output[],
  expected: readonly Output[],
  tolerance: number,
): string | null {
  const kinds = (outputs: readonly Output[]) =>
    outputs.map(({ shape, dtype }) => `${dtype} [${shape}]`).join(', ');
  if (kinds(actual) !== kinds(expected))
    return `the result is ${kinds(actual)}, the reference has ${kinds(expected)}`;
  for (const [o, { values }] of actual.entries()) {
    const wrong = values.findIndex((value, i) => !close(value, expected[o].values[i], tolerance));
    if (wrong >= 0)
      return `element ${wrong} is ${values[wrong]}, the reference has ${expected[o].values[wrong]}`;
  }
  return null;
}

function close(actual: number, expected: number, tolerance: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  return Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected));
}
