/** Rows from a model that stay on the device: those that go by the host, to the bit, and in the same order. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CudaBackend } from '../backends/cuda/cudaBackend.ts';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { noSoftwareDevice } from '../backends/cuda/cudaForTests.ts';
import { startBackend } from '../backends/startBackend.ts';
import { float16ToFloat32, float32ToFloat16 } from '../formats/float16.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { Random } from '../numerics/random.ts';
import { hostNumber } from '../ops/computed.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import type { RowStores } from '../ops/rowStore.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { openText, type TextSource } from '../tokens/text/openText.ts';
import { ModelBatches, type ModelBatchesOptions } from './modelBatches.ts';
import { letterDocuments } from '../fixtures/letterCapture.ts';

chooseCudaDeviceForTests();

describe.skipIf(noSoftwareDevice)(`on the cuda backend${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  let model: LanguageModel;
  let text: TextSource;
  let stores: RowStores;
  beforeAll(async () => {
    await startBackend('cuda');
    stores = fusedKernels().rowStores ?? expect.fail('cuda has no memory for rows');
    model = await loadLanguageModel(join(import.meta.dirname, '..', 'models', 'fixtures', 'tinyLlama'));
    const path = join(await mkdtemp(join(tmpdir(), 'lazyscope-device-rows-')), 'letters.txt');
    const documents = letterDocuments(30);
    await writeFile(path, documents.join('\n<|endoftext|>\n'));
    text = await openText(path);
  });
  afterAll(() => model.dispose());

  const batches = (changes: Partial<ModelBatchesOptions>) =>
    new ModelBatches({
      model,
      hook: 'blocks.0.hook_resid_post',
      text,
      contextLength: 16,
      firstPosition: 1,
      before: 'contexts',
      dtype: 'float16',
      bufferTokens: 10 * 15,
      batchSize: 37,
      seed: 3,
      heldOut: new Set([4, 9]),
      leftOut: { position: 2, norm: null, tokens: new Set<number>() },
      ...changes,
    });

  test.each<[string, Partial<ModelBatchesOptions>]>([
    ['float16', {}],
    ['float32', { dtype: 'float32' }],
    [
      'without the longest rows and some tokens',
      { leftOut: { position: 1, norm: 4.9, tokens: new Set([20, 45]) } },
    ],
    ['a buffer that holds the whole text', { bufferTokens: 10_000 }],
  ])('%s: several fillings, and a reader that goes on elsewhere', async (_, changes) => {
    const [host, device] = [batches(changes), batches({ ...changes, stores })];
    const kernels = fusedKernels();
    for (let step = 0; step < 24; step++) {
      await host.ready(37);
      await device.ready(37);
      const want = kernels.scaledBatch(host.next(), host.d, 0.7);
      if (step % 5 === 4) {
        // As the statistics before the first step are read.
        expect([...device.next()].length).toBe(37 * device.d);
      } else {
        const [got] = device.batches(0.7, [kernels]) ?? expect.fail('rows of the device came by the host');
        expect([...got.x.dataSync()]).toEqual([...want.x.dataSync()]);
        expect(hostNumber(got.variance)).toBe(hostNumber(want.variance));
        tf.dispose([got.x]);
        if (typeof got.variance !== 'number') got.variance.dispose();
      }
      tf.dispose([want.x]);
      if (typeof want.variance !== 'number') want.variance.dispose();
      expect(device.state()).toEqual(host.state());
      expect(device.excluded).toBe(host.excluded);
    }
    const there = device.state();
    const again = batches({ ...changes, stores });
    again.restore(there);
    await again.ready(37);
    await device.ready(37);
    expect(again.next()).toEqual(device.next());
    for (const each of [host, device, again]) await each.close();
  });

  test('memory of the device is given back', async () => {
    const { memoryPool } = tf.backend() as CudaBackend;
    const use = async () => {
      const device = batches({ stores });
      for (let step = 0; step < 12; step++) {
        await device.ready(37);
        device.next();
      }
      await device.close();
      return { used: memoryPool.bytes.used, tensors: tf.memory().numTensors };
    };
    const before = await use();
    expect(await use()).toEqual(before);
  });

  test('a text whose activations the type does not hold is refused, with the value', async () => {
    const huge = { ...model, forward: (...args: Parameters<LanguageModel['forward']>) => {
      const pass = model.forward(...args);
      const scaled = new Map([...pass.activations].map(([hook, tensor]) => [hook, tensor.mul(1e6)]));
      tf.dispose([...pass.activations.values()]);
      return { ...pass, activations: scaled };
    } } as LanguageModel; // prettier-ignore
    Object.setPrototypeOf(huge, Object.getPrototypeOf(model));
    Object.defineProperties(huge, {
      width: { value: (hook: never) => model.width(hook) },
      tokenizer: { value: model.tokenizer },
    });
    const device = batches({ model: huge, stores });
    await expect(device.ready(37)).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(
        /^An activation at 'blocks\.0\.hook_resid_post' is -?\d.*beyond float16/,
      ),
    });
  });

  test('every float16, and what lies between two of them, is rounded as a capture rounds it', async () => {
    const d = 64;
    const random = Random.fromSeed(2);
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const near = Float32Array.from(
      float16ToFloat32(bits),
      (value) => value * (1 + (random.uniform() - 0.5) / 700),
    );
    const values = Float32Array.of(
      ...near.filter(Number.isFinite),
      65_519.9,
      65_520,
      1e-9,
      -1e-9,
      2 ** -25,
      3 * 2 ** -25,
    );
    const rows = Math.ceil(values.length / d);
    const padded = new Float32Array(rows * d);
    padded.set(values);
    const x = tf.tensor2d(padded, [rows, d]) as Tensor2D;
    const store = stores.open(rows, d, 'float16');
    const places = Int32Array.from({ length: rows }, (_, i) => i);
    store.put(x, places, 0);
    expect(store.read(places)).toEqual(float16ToFloat32(float32ToFloat16(padded)));
    const norms = await store.norms(x);
    const stored = float16ToFloat32(float32ToFloat16(padded));
    for (let row = 0; row < rows; row++) {
      let square = 0;
      for (const value of stored.subarray(row * d, (row + 1) * d)) square += value * value;
      expect(norms[row]).toBe(Math.fround(Math.sqrt(square)));
    }
    const some = store.copy(Int32Array.of(5, 2));
    expect(some.read(Int32Array.of(1))).toEqual(store.read(Int32Array.of(2)));
    for (const each of [store, some]) each.dispose();
    x.dispose();
  });
});
