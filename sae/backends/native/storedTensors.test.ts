import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openGguf } from '../../formats/gguf/ggufFile.ts';
import { readableTypes } from '../../formats/gguf/ggufTypes.ts';
import { float32ToBfloat16 } from '../../formats/bfloat16.ts';
import { float32ToFloat16 } from '../../formats/float16.ts';
import { Random } from '../../numerics/random.ts';
import { storedFormats, storedTensor } from '../../ops/storedTensor.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import { chooseCudaDeviceForTests } from '../cuda/cudaDeviceForTests.ts';
import { startBackend } from '../startBackend.ts';
import { findCompiler } from './compiler.ts';

chooseCudaDeviceForTests();
const works = findCompiler() !== null;

const file = openGguf(join(import.meta.dirname, '..', '..', 'formats', 'gguf', 'fixtures', 'everyType.gguf'));
const bits = (values: ArrayLike<number>) => Array.from(new Uint32Array(Float32Array.from(values).buffer));
const random = (seed: number, count: number) => {
  const draws = Random.fromSeed(seed, 'stored tensors');
  return Float32Array.from({ length: count }, () => draws.normal());
};

describe.skipIf(!works).each(['native', 'cuda'] as const)(
  'tensors in the format of their file, beside the same tensors widened, on %s (needs a C++ compiler)',
  (backend) => {
    beforeAll(() => startBackend(backend));

    test('every format of the file has a kernel', () => {
      expect([...storedFormats].sort()).toEqual([...readableTypes].sort());
    });

    test.each(storedFormats)('%s: values, rows and products are the same bits', (format) => {
      const width = file.shape(format).at(-1)!;
      let reads = 0;
      const stored = storedTensor([6, width], {
        format,
        read: () => {
          reads++;
          return file.stored(format).bytes;
        },
      }) as Tensor2D;
      expect(reads).toBe(0);
      const plain = tf.tensor2d(file.float32(format), [6, width]);
      expect(bits(stored.dataSync())).toEqual(bits(plain.dataSync()));

      const rows = tf.tensor1d([5, 0, 5, 2], 'int32');
      expect(bits(tf.gather(stored, rows).dataSync())).toEqual(bits(tf.gather(plain, rows).dataSync()));
      expect(() => tf.gather(stored, tf.tensor1d([6], 'int32'))).toThrow(/index value 6/);

      for (const m of [1, 3, 20]) {
        const a = tf.tensor2d(random(m, m * width), [m, width]);
        const bias = tf.tensor1d(random(9, 6));
        for (const activation of ['linear', 'relu'] as const) {
          const [actual, expected] = [stored, plain].map((b) =>
            tf.fused.matMul({ a, b, bias, activation, transposeB: true }).dataSync(),
          );
          expect(bits(actual), `${m} rows, ${activation}`).toEqual(bits(expected));
        }
        // The other way round no kernel reads stored numbers: they are widened first.
        const c = tf.tensor2d(random(m, m * 6), [m, 6]);
        expect(bits(tf.matMul(c, stored).dataSync())).toEqual(bits(tf.matMul(c, plain).dataSync()));
      }
      expect(bits(tf.transpose(stored).dataSync())).toEqual(bits(tf.transpose(plain).dataSync()));
      expect(bits(stored.slice([2, 1], [2, 3]).dataSync())).toEqual(
        bits(plain.slice([2, 1], [2, 3]).dataSync()),
      );
      expect(reads).toBe(1);
      stored.dispose();
      expect(stored.isDisposed).toBe(true);
    });

    test.each(['F16', 'BF16'] as const)('%s: a matrix larger than what is widened at once', (format) => {
      const [n, k, m] = [9000, 256, 7];
      const words = (format === 'F16' ? float32ToFloat16 : float32ToBfloat16)(random(4, n * k));
      const stored = storedTensor([n, k], {
        format,
        read: () => new Uint8Array(words.slice().buffer),
      }) as Tensor2D;
      const plain = tf.tensor2d(stored.dataSync().slice() as Float32Array, [n, k]);
      const a = tf.tensor2d(random(5, m * k), [m, k]);
      const [actual, expected] = [stored, plain].map((b) => tf.matMul(a, b, false, true).dataSync());
      expect(bits(actual)).toEqual(bits(expected));
    });

    test('a vector is widened once and then like any other', () => {
      let reads = 0;
      const words = float32ToBfloat16(Float32Array.of(1, -2.5, 0.375));
      const vector = storedTensor([3], {
        format: 'BF16',
        read: () => {
          reads++;
          return new Uint8Array(words.slice().buffer);
        },
      });
      const sums = [1, 2].map((x) => Array.from(tf.add(vector, x).dataSync()));
      expect(sums).toEqual([
        [2, -1.5, 1.375],
        [3, -0.5, 2.375],
      ]);
      expect(reads).toBe(1);
    });
  },
);
