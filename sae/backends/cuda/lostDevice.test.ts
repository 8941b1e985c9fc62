/** A device that is lost during training gives one clear error; only the steps since the last checkpoint are lost. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { toyHook, writeToyCapture } from '../../fixtures/toyCapture.ts';
import { runKind } from '../../spec/manifests/run.ts';
import { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';
import { tf } from '../../tensor/tf.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { readMetrics } from '../../training/metrics.ts';
import { train, type TrainOptions } from '../../training/train.ts';
import { startBackend } from '../startBackend.ts';
import { cudaForTests, noSoftwareDevice } from './cudaForTests.ts';

const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-lost-')));
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
  environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cuda', threads: 1 },
});

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  test('the run stops with one sentence, its checkpoint stays, and another backend goes on', async () => {
    // The same device once more: what becomes of it becomes of the backend that trains.
    const broken = await cudaForTests({
      'broken.cu': 'extern "C" __global__ void broken() { assert(threadIdx.x < 10); }',
    });
    await startBackend('cuda');
    await writeToyCapture(store, 'toy');
    let kept = Buffer.alloc(0);
    const checkpoint = join(store.runCheckpoints('run'), 'step-20.safetensors');
    const breakAt = ({ done }: { done: number }) => {
      if (done !== 25) return;
      kept = readFileSync(checkpoint);
      broken.programs.run({ file: 'broken.cu', name: 'broken' }, { grid: 1, block: 32 }, []);
      expect(() => broken.device.synchronize()).toThrow(/thread \(10, 0, 0\)|was lost/);
    };
    await expect(train({ ...training('run'), report: breakAt })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^The GPU \(.+\) was lost \(CUDA_ERROR_LAUNCH_FAILED in \w+.*\): resume from the last checkpoint, on another backend if it happens again\.$/,
      ),
    });
    expect(kept.length).toBeGreaterThan(0);
    expect((await readManifest(store.runManifest('run'), runKind)).status).toBe('interrupted');
    expect(readdirSync(store.runCheckpoints('run'))).toContain('step-20.safetensors');
    expect(readFileSync(checkpoint).equals(kept)).toBe(true);

    // Whatever is asked of the device from now on fails in the same words.
    expect(() => tf.ones([3]).add(1).dataSync()).toThrow(/was lost \(CUDA_ERROR_LAUNCH_FAILED/);

    await startBackend('cpu');
    expect(await train({ ...training('run'), resume: true })).toMatchObject({ status: 'complete', step: 50 });
    const steps = (await readMetrics(store.runMetrics('run'))).map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });
});
