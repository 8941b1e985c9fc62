import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { tf } from '../../tensor/tf.ts';
import {
  activationFunctionNames,
  activationFunctions,
  applyActivationFunction,
  parseActivationFunction,
} from './activationFunctions.ts';
import type { ActivationFunctionName } from './activationFunctions.ts';

/** From PyTorch in float64 on 49 points from −6 to 6. */
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/activations.json'), 'utf8'),
) as Record<ActivationFunctionName, { y: number[]; slope: number[] }> & { x: number[] };

// 'cpu' runs the reference compositions, 'auto' the kernels of the best backend here.
describe.each(['cpu', 'auto'] as const)('backend %s', (backend) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  test.each(['relu', 'gelu', 'gelu_new', 'silu'] as const)(
    '%s and its derivative agree with PyTorch',
    (name) => {
      const x = tf.tensor1d(golden.x);
      const y = applyActivationFunction(name, x).dataSync();
      const slope = tf
        .grad((t) => applyActivationFunction(name, t))(x)
        .dataSync();
      golden.x.forEach((at, i) => {
        expect(y[i], `${name}(${at})`).toBeCloseTo(golden[name].y[i], 5);
        expect(slope[i], `${name}'(${at})`).toBeCloseTo(golden[name].slope[i], 5);
      });
    },
  );

  test('exactZeros says where zeros mean rest', () => {
    const negative = tf.tensor1d([-3, -1]);
    for (const name of activationFunctionNames) {
      const values = applyActivationFunction(name, negative).dataSync();
      expect(
        values.every((x) => x === 0),
        name,
      ).toBe(activationFunctions[name].exactZeros);
    }
  });
});

test('aliases of config.json files resolve to one spelling, others are refused', () => {
  expect(parseActivationFunction('swish')).toBe('silu');
  expect(parseActivationFunction('gelu_pytorch_tanh')).toBe('gelu_new');
  expect(() => parseActivationFunction('gelu_10')).toThrow(/'gelu_10' is not known: use one of relu/);
});
