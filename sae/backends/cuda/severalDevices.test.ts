/** Seeds and runs on two devices of one process, which the software device can be. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openCapture } from '../../activations/openCapture.ts';
import { ShuffledBatches } from '../../activations/shuffledBatches.ts';
import { smallConfig, smallSource } from '../../fixtures/smallRuns.ts';
import { toyHook, writeToyCapture } from '../../fixtures/toyCapture.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { readDictionary } from '../../autoencoders/dictionaryFile.ts';
import { StoreLayout } from '../../store/layout.ts';
import { tf } from '../../tensor/tf.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { train } from '../../training/train.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import { startBackend } from '../startBackend.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { noSoftwareDevice } from './cudaForTests.ts';
import { openCuda } from './openCuda.ts';

process.env.LAZYSCOPE_CUDA_DEVICE = 'software';
// Read when the library is first used, by whichever thread: vitest gives each file a process of its own.
process.env.LAZYSCOPE_CUDA_DEVICES = '2';

const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-devices-')));
afterAll(() => rmSync(store.root, { recursive: true, force: true }));

async function trained(architecture: 'topk' | 'relu' | 'gated') {
  const config = { ...smallConfig(architecture, 40), seeds: [3, 1, 4] };
  const source = smallSource();
  const state = initialState(config, source);
  source.restore({ seed: 0, epoch: 0, position: 0 });
  const trainer = new Trainer(config, source, state);
  const metrics = [];
  for (let step = 0; step < 16; step++) metrics.push(await trainer.advance());
  const result = {
    metrics,
    end: trainer.state(),
    position: trainer.position,
    dictionaries: [0, 1, 2].map((index) => trainer.dictionary(index)),
  };
  trainer.dispose();
  return result;
}

const backends = () =>
  ['cuda', 'cuda:1'].map((name) => tf.findBackend(name) as CudaBackend).map((backend) => backend);

describe.skipIf(noSoftwareDevice)(`two devices${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(async () => {
    await startBackend('cuda', { path: 'sparse' });
    await writeToyCapture(store, 'toy');
  });

  test.each(['topk', 'relu', 'gated'] as const)(
    '%s: three seeds on two devices have the bits of one device',
    async (architecture) => {
      await startBackend('cuda', { path: 'sparse' });
      expect(fusedKernels().devices).toBeUndefined();
      const want = await trained(architecture);
      await startBackend('cuda', { path: 'sparse', devices: 'all' });
      expect(fusedKernels().devices).toHaveLength(2);
      const before = backends().map((backend) => backend.programs.launches);
      expect(await trained(architecture)).toEqual(want);
      const launches = backends().map((backend, i) => backend.programs.launches - before[i]);
      expect(Math.min(...launches)).toBeGreaterThan(20);
      expect(tf.getBackend()).toBe('cuda');
    },
  );

  test('nothing is left on either device', async () => {
    await startBackend('cuda', { path: 'sparse', devices: [0, 1] });
    await trained('topk');
    const left = () => ({
      tensors: tf.memory().numTensors,
      used: backends().map(({ memoryPool }) => memoryPool.bytes.used),
    });
    const before = left();
    await trained('topk');
    expect(left()).toEqual(before);
  });

  test('the other device alone, by its number', async () => {
    await startBackend('cuda', { devices: [1] });
    expect(tf.getBackend()).toBe('cuda:1');
    expect([...tf.add(tf.tensor1d([1, 2]), 3).dataSync()]).toEqual([4, 5]);
    expect((tf.backend() as CudaBackend).device.name).toBe('Lazyscope software device 1');
  });

  test('runs train at the same time, each on a device of its own', async () => {
    await startBackend('cuda', { devices: [0, 1] });
    const options = (name: string, width: number) => ({
      store,
      name,
      config: defaultTrainingConfig('topk', {
        capture: 'toy', hook: toyHook, d: 8, tokens: 1600, batchSize: 32, width, k: 3, seeds: [3], checkpointEvery: 20, logEvery: 5,
      }), // prettier-ignore
      environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cuda', threads: 1 },
    });
    const [first, second] = fusedKernels().devices ?? [];
    await Promise.all([
      train({ ...options('a', 24), kernels: first }),
      train({ ...options('b', 20), kernels: second }),
    ]);
    await train(options('c', 20));
    const [b, c] = await Promise.all(['b', 'c'].map((run) => readDictionary(store.dictionary(run, 3))));
    expect(b.wDec).toEqual(c.wDec);
  });

  test('rows of a capture are on both devices, on one, or sent to both, as the devices have room', async () => {
    await startBackend('cuda', { path: 'sparse', devices: [0, 1] });
    const { devices = [] } = fusedKernels();
    expect(devices).toHaveLength(2);
    const capture = await openCapture(store, 'toy', { asStored: true });
    const config = defaultTrainingConfig('topk', {
      capture: 'toy', hook: toyHook, d: 8, tokens: 32 * 6, batchSize: 32, width: 24, k: 3, seeds: [3, 1],
    }); // prettier-ignore
    const trainedOn = async (kernels: FusedKernels) => {
      const source = new ShuffledBatches(capture, toyHook, { seed: 2, batchSize: 32 });
      const state = initialState(config, source);
      await source.toDevices(kernels.devices ?? [kernels], 1e6);
      const trainer = new Trainer(config, source, state, kernels);
      const metrics = [];
      for (let step = 0; step < 6; step++) metrics.push(await trainer.advance());
      const result = { metrics, dictionaries: [0, 1].map((index) => trainer.dictionary(index)) };
      expect(trainer.position).toEqual(source.state());
      trainer.dispose();
      await source.close();
      return result;
    };
    const { rowStores: _none, hostBatch: _neither, ...plain } = devices[0];
    const want = await trainedOn(plain);
    const ample = 2 ** 30;
    for (const room of [
      [ample, ample],
      [ample, 0],
      [0, 0],
    ]) {
      const gathered = [0, 0];
      const sent = [0, 0];
      const tables = devices.map((kernels, at): FusedKernels => {
        const { rowStores = expect.fail(), hostBatch = expect.fail() } = kernels;
        const { batch } = rowStores;
        return {
          ...kernels,
          rowStores: {
            ...rowStores,
            ampleBytes: room[at],
            batch: (...args) => (gathered[at]++, batch(...args)),
          },
          hostBatch: (...args) => (sent[at]++, hostBatch(...args)),
        };
      });
      const used = () => backends().map(({ memoryPool }) => memoryPool.bytes.used);
      const before = used();
      expect(await trainedOn({ ...tables[0], devices: tables })).toEqual(want);
      expect(used()).toEqual(before);
      expect(gathered).toEqual(room.map((bytes) => (bytes > 0 ? 6 : 0)));
      expect(sent).toEqual(room.map((bytes) => (bytes > 0 ? 0 : 6)));
    }
    capture.close();
  });

  test('memory, streams and kernels of one device are of no use on the other', async () => {
    const [zero, one] = await Promise.all([openCuda({ index: 0 }), openCuda({ index: 1 })]);
    const [memory, elsewhere] = [zero, one].map(({ backend }) => backend.scratch(64));
    expect(() => one.backend.copy(memory, elsewhere, 64)).toThrow(/on another device/);
    // The stream of one while the other's context is current.
    one.backend.device.driver.enter();
    const { functions } = one.backend.device.driver;
    expect(functions.cuMemsetD32Async(Number(elsewhere.address), 0, 4, zero.backend.device.stream)).toBe(400);
  });

  test('a number that no device has is refused, with those that there are', async () => {
    await expect(startBackend('cuda', { devices: [0, 2] })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/There is no GPU 2, only GPUs 0 to 1/),
    });
    await expect(startBackend('native', { devices: [0] })).rejects.toMatchObject({ code: 'bad_input' });
  });
});
