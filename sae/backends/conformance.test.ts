import { describe, expect, test } from 'vitest';
import { tf } from '../tensor/tf.ts';
import type { BackendName } from './backend.ts';
import { conformanceCases, type ConformanceCase } from './conformanceCases.ts';
import { nativeKernels } from './native/kernels/registerKernels.ts';
import { nativeLibrary } from './native/library.ts';
import { NativeBackend } from './native/nativeBackend.ts';
import { probeBackends, startBackend } from './startBackend.ts';
import { adapterForTests } from './webgpu/adapterForTests.ts';

/** What a backend is known to do differently, by the names of the cases. */
const skips: Partial<Record<BackendName, readonly (readonly [cases: RegExp, reason: string])[]>> = {
  wasm: [
    [/^relu6 of special/, 'TF.js wasm maps NaN to 0'],
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
    [/^(relu6|sigmoid|softplus|elu|selu|log1p) of special/, 'GPUs may assume that there is no NaN'],
    [/^(step|sign) of special/, 'GPUs may take subnormals for 0'],
    [/^(div|pow) of special|^pow to the 0.5/, 'infinities are not promised by WGSL'],
    [/^(sin|cos) /, 'WGSL promises 2⁻¹¹ between −π and π'],
    [/^add .* int32$/, 'TF.js webgpu adds integers as floats: wrong beyond 2²⁴'],
    [/^sum of nothing/, 'TF.js webgpu divides by the length'],
    [/^argMax of ties/, 'TF.js webgpu leaves a scalar one axis'],
    [/^prod .* kept$/, 'TF.js webgpu forgets keepDims'],
  ],
};

await adapterForTests();
await startBackend('cpu');
const reference = conformanceCases().map((c) => ({ c, name: c.name, expected: outputs(c) }));
const probes = (await probeBackends()).filter(({ name }) => name !== 'cpu');

function outputs(c: ConformanceCase) {
  const result = c.run();
  const list = Array.isArray(result) ? result : [result];
  const read = list.map((t) => ({ shape: t.shape, dtype: t.dtype, values: Array.from(t.dataSync()) }));
  tf.dispose(list);
  return read;
}

describe.each(probes)('backend $name computes as the reference does', ({ name, works, detail }) => {
  if (!works) {
    test.skip(`not on this machine: ${detail}`, () => {});
    return;
  }
  for (const { c, expected } of reference) {
    const reason = skips[name]?.find(([cases]) => cases.test(c.name))?.[1];
    test.skipIf(reason !== undefined)(reason ? `${c.name} (${reason})` : c.name, async () => {
      if (tf.getBackend() !== name) await startBackend(name);
      const actual = outputs(c);
      expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
        expected.map(({ shape, dtype }) => ({ shape, dtype })),
      );
      actual.forEach(({ values }, o) => {
        const wrong = values.findIndex((value, i) => !close(value, expected[o].values[i], c.tolerance));
        if (wrong >= 0)
          expect.fail(`element ${wrong} is ${values[wrong]}, the reference has ${expected[o].values[wrong]}`);
      });
    });
  }
});

const native = probes.find((p) => p.name === 'native');
test.skipIf(!native?.works)('the table exercises every kernel of the native backend', async () => {
  const overridden = Object.keys(nativeKernels(new NativeBackend(), await nativeLibrary()));
  await startBackend('native');
  const used = new Set<string>();
  for (const { c } of reference) {
    const profile = await tf.profile(() => tf.dispose(c.run()));
    for (const kernel of profile.kernelNames) used.add(kernel);
  }
  expect(overridden.filter((kernel) => !used.has(kernel) && tf.getKernel(kernel, 'cpu'))).toEqual([]);
});

function close(actual: number, expected: number, tolerance: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  return Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected));
}
