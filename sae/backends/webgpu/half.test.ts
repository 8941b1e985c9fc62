/** The encoder's product with operands in 16 bits, against float64 on the host and against itself in 32 bits. */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Encoder } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/fusedKernels.ts';
import { Random } from '../../tensor/random.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { webgpuFusedKernels } from './fused.ts';
import { Products } from './matMul.ts';
import { Programs } from './programs.ts';
import { trainUntil } from '../../training/smallRuns.ts';

const adapter = await adapterForTests('shader-f16');
/** Of a number in 16 bits, relative: half a unit in the last of 11 places. */
const unit = 2 ** -11;

function operands(rows: number, latents: number, d: number, make: (size: number) => Float32Array) {
  const [x, w, b, c] = [make(rows * d), make(latents * d), make(latents), make(d)];
  const encoder: Encoder = {
    wEnc: tf.tensor2d(w.slice(), [latents, d]),
    bEnc: tf.tensor1d(b.slice()),
    centre: tf.tensor1d(c.slice()),
  };
  return { x, w, b, c, input: tf.tensor2d(x.slice(), [rows, d]), encoder };
}

/** Pre-activations through the product that a selection uses: all of them, those at or below 0 as 0. */
function rectified(input: Tensor2D, encoder: Encoder): Float32Array {
  const latents = encoder.wEnc.shape[0];
  return Float32Array.from(fusedKernels().topKEncode(input, encoder, latents).values.dataSync());
}

test('other backends refuse it', async () => {
  await expect(startBackend('cpu', { storage: 'f16' })).rejects.toMatchObject({
    code: 'bad_input',
    message: "Storage f16 is the webgpu backend's, not cpu's: choose webgpu, or f32.",
  });
});

describe.skipIf(!adapter.found)(`halves on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('webgpu'));
  beforeEach(() => startBackend('webgpu', { storage: 'f16' }));

  test.each([
    [3, 31, 5],
    [70, 131, 32],
    [7, 48, 300],
  ])('%i rows, %i latents, d = %i: as far off as 11 bits explain, no further', (rows, latents, d) => {
    const random = Random.fromSeed(5, d);
    const { x, w, b, c, input, encoder } = operands(rows, latents, d, (size) => random.normals(size));
    const z = rectified(input, encoder);
    let rounded = 0;
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < latents; i++) {
        let [exact, size] = [b[i], Math.abs(b[i])];
        for (let j = 0; j < d; j++) {
          const term = (x[row * d + j] - c[j]) * w[i * d + j];
          exact += term;
          size += Math.abs(term);
        }
        const off = Math.abs(z[row * latents + i] - Math.max(0, exact));
        expect(off).toBeLessThanOrEqual(size * (2 * unit + unit ** 2 + (d + 3) * 2 ** -24));
        if (off > size * 2 ** -16) rounded++;
      }
    expect(rounded).toBeGreaterThan(0);
  });

  test('what 16 bits can hold gives the bits of 32', async () => {
    const random = Random.fromSeed(6);
    const integers = (size: number) => Float32Array.from({ length: size }, () => random.below(13) - 6);
    const { input, encoder } = operands(20, 90, 21, integers);
    const halves = rectified(input, encoder);
    await startBackend('webgpu');
    expect(halves).toEqual(rectified(input, encoder));
  });

  test('a choice streamed by chunks of latents has the bits of one from the whole matrix', () => {
    const random = Random.fromSeed(8);
    const { input, encoder } = operands(20, 331, 21, (size) => random.normals(size));
    const backend = tf.backend() as DeviceBackend;
    const programs = new Programs(backend, { subgroups: false });
    const products = new Products(backend, programs, 'f16');
    const streaming = webgpuFusedKernels(backend, programs, products, { topKChunk: 64 });
    const [whole, streamed] = [fusedKernels(), streaming].map((kernels) => {
      const { indices, values } = kernels.topKEncode(input, encoder, 9);
      return { indices: indices.dataSync(), values: values.dataSync() };
    });
    expect(streamed).toEqual(whole);
  });

  test('NaN and infinities stay what no number is; what is too large becomes the largest', () => {
    const encoder = {
      wEnc: tf.ones([3, 2]) as Tensor2D,
      bEnc: tf.zeros([3]) as Tensor1D,
      centre: null,
    };
    const input = tf.tensor2d([NaN, 0, Infinity, 0, 1, -Infinity, 1e6, 0, 2, 3], [5, 2]);
    const z = rectified(input, encoder);
    for (const row of [0, 1, 2]) expect(z[row * 3]).toBeNaN();
    expect([z[9], z[12]]).toEqual([65504, 5]);
  });

  test.each(['topk', 'jumprelu'] as const)(
    '%s: the mean loss of a training run stays within 0.2 % of that in 32 bits',
    async (architecture) => {
      // Single steps differ by more: which latents are chosen is discrete, and a batch has 16 rows.
      const mean = (losses: readonly number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      const halves = await trainUntil(architecture, 60);
      await startBackend('webgpu');
      const whole = await trainUntil(architecture, 60);
      expect(halves.losses).not.toEqual(whole.losses);
      expect(Math.abs(mean(halves.losses) / mean(whole.losses) - 1)).toBeLessThan(0.002);
    },
  );
});
