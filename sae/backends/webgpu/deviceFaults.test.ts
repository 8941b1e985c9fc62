/** A device that is lost or runs out of memory during training gives one clear error; only steps since the last checkpoint are lost. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { toyHook, writeToyCapture } from '../../fixtures/toyCapture.ts';
import { StoreLayout } from '../../store/layout.ts';
import { runKind } from '../../spec/manifests/run.ts';
import { readManifest } from '../../store/readManifest.ts';
import { tf } from '../../tensor/tf.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { readMetrics } from '../../training/metrics.ts';
import { train, type TrainOptions } from '../../training/train.ts';
import { startBackend } from '../startBackend.ts';
import { findAdapter, openDevice } from './adapter.ts';
import { adapterForTests } from './adapterForTests.ts';
import { createDeviceBackend, type DeviceBackend } from './deviceBackend.ts';

const adapter = await adapterForTests();
const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-faults-')));
afterAll(() => rmSync(store.root, { recursive: true, force: true }));

const training = (name: string): TrainOptions => ({
  store,
  name,
  config: defaultTrainingConfig('topk', {
    capture: 'toy',
    hook: toyHook,
    d: 8,
    tokens: 1600,
    batchSize: 32,
    width: 24,
    k: 3,
    seeds: [3],
    checkpointEvery: 10,
    logEvery: 1,
  }),
  environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'webgpu', threads: 1 },
});
const losses = async (name: string) => (await readMetrics(store.runMetrics(name))).map(({ loss }) => loss);

async function ownBackend() {
  const found = await findAdapter();
  const device = await openDevice(found);
  return { device, backend: createDeviceBackend(found, device) };
}

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  beforeAll(async () => {
    await startBackend('cpu');
    await writeToyCapture(store, 'toy');
  });

  test('a buffer beyond the limit of a binding is refused with its size, the limit and the remedy', async () => {
    // A device with only the limits that WebGPU guarantees.
    const found = await findAdapter();
    const device = await found.gpu.requestDevice();
    const backend = createDeviceBackend(found, device);
    const { maxStorageBufferBindingSize } = device.limits;
    expect(maxStorageBufferBindingSize).toBe(2 ** 27);
    const usage = GPUBufferUsage.STORAGE;
    expect(() => backend.bufferManager.acquireBuffer(2 ** 27 + 4, usage)).toThrow(
      /^A tensor of 129 MB exceeds the 128 MB \(maxStorageBufferBindingSize\) that the GPU \(.+\) gives a kernel at once: use a smaller batch, a narrower dictionary, or another backend\.$/,
    );
    expect(backend.bufferManager.numBytesUsed).toBe(0);
    backend.close();
  });

  test('running out of memory is distinguished from other faults, and reported before the errors that follow from it', async () => {
    const { device, backend } = await ownBackend();
    // These are events as Dawn sends them; scripts/outOfMemory.test.ts has a device that really runs out of memory.
    const report = (error: GPUError) =>
      device.dispatchEvent(Object.assign(new Event('uncapturederror'), { error }));
    const errors = (await import('webgpu')).globals as Record<string, new (message: string) => GPUError>;
    report(new errors['GPUValidationError']('[Invalid Buffer] is invalid'));
    report(new errors['GPUOutOfMemoryError']('vkAllocateMemory'));
    expect(() => backend.check()).toThrow(
      /^The GPU \(.+\) has no memory: use a smaller batch, a narrower dictionary or fewer seeds at once, and resume/,
    );
    backend.close();
  });

  test('a device that was closed on purpose is no fault', async () => {
    const { device, backend } = await ownBackend();
    backend.close();
    await device.lost;
    expect(() => backend.check()).not.toThrow();
  });

  test('lost while training: one line, the checkpoint intact, and another backend goes on from it', async () => {
    await train(training('whole'));
    await startBackend('webgpu');
    const { device } = tf.backend() as DeviceBackend;
    let steps = 0;
    const report: TrainOptions['report'] = ({ done }) => {
      steps = done;
      if (done === 25) device.destroy();
    };
    const failure = train({ ...training('lost'), report });
    await expect(failure).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^The GPU \(.+\) was lost: resume from the last checkpoint, on another backend if it happens again\.$/,
      ),
    });
    expect(steps).toBe(25);
    expect((await readManifest(store.runManifest('lost'), runKind)).status).toBe('interrupted');
    const checkpoints = store.runCheckpoints('lost');
    expect(readdirSync(checkpoints).sort()).toEqual(['step-10.safetensors', 'step-20.safetensors']);
    const before = readFileSync(join(checkpoints, 'step-20.safetensors'));

    // Later uses of the device throw the same error.
    const x = tf.tensor1d([1, 2, 3]);
    for (const ask of [() => x.add(1).dataSync(), () => tf.zeros([4]).add(1).dataSync()])
      expect(ask).toThrow(/was lost/);
    await expect((async () => await x.mul(2).data())()).rejects.toThrow(/was lost/);
    expect(readFileSync(join(checkpoints, 'step-20.safetensors'))).toEqual(before);

    await startBackend('cpu');
    expect(await train({ ...training('lost'), resume: true })).toMatchObject({
      status: 'complete',
      step: 50,
    });
    const [want, got] = [await losses('whole'), await losses('lost')];
    expect(got.length).toBe(want.length);
    got.forEach((loss, i) => expect(Math.abs(loss / want[i] - 1)).toBeLessThan(1e-4));
  });
});
