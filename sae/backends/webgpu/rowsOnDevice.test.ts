/** Rows of a capture in memory of the webgpu backend's device: those that come from the host, to the bit, in the same order. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { capture } from '../../activations/capture.ts';
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { selectRows } from '../../activations/selectRows.ts';
import { ShuffledBatches } from '../../activations/shuffledBatches.ts';
import { readDictionary } from '../../autoencoders/dictionaryFile.ts';
import { batchByHost, batchValues } from '../../fixtures/batchValues.ts';
import { letterCapture } from '../../fixtures/letterCapture.ts';
import { webgpuRows } from '../../fixtures/rowDevices.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { Batch } from '../../ops/trainingStep.ts';
import { StoreLayout } from '../../store/layout.ts';
import { tf } from '../../tensor/tf.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { readMetrics } from '../../training/metrics.ts';
import { train } from '../../training/train.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();
const gpu = webgpuRows();
const [residual, neurons] = ['blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'];

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  // A software driver on a busy machine takes long to compile shaders.
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  let store: StoreLayout;
  beforeAll(async () => {
    store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-webgpu-rows-')));
    await startBackend('native', { threads: 1 });
    for (const dtype of ['float16', 'float32'] as const)
      await capture({ ...letterCapture(store), name: dtype, dtype });
    await startBackend('webgpu');
  });
  afterAll(() => rm(store.root, { recursive: true, force: true }));

  const byHost = (source: ShuffledBatches) => batchByHost(source, 0.7);

  test.each<[string, 'float16' | 'float32', string, string | undefined]>([
    ['float16', 'float16', 'none', undefined],
    ['without some rows', 'float16', 'position:2,norm:1.1', undefined],
    ['a transcoder’s, without some rows', 'float32', 'position:3', neurons],
  ])(
    '%s: two epochs, nothing read back, and a reader that goes on elsewhere',
    async (_, name, rule, outputHook) => {
      const opened = await openCapture(store, name);
      const hooks = outputHook ? [residual, outputHook] : [residual];
      const rows = selectRows(opened, hooks, parseExclusionRule(rule));
      expect(rows.excluded.length > 0).toBe(rule !== 'none');
      const options = { seed: 3, batchSize: 37, outputHook };
      const [host, device] = [0, 1].map(() => new ShuffledBatches(rows, residual, options));
      const kernels = fusedKernels();
      expect(device.batches(0.7, [kernels])).toBeNull();
      const before = { tensors: tf.memory().numTensors, used: gpu.used() };
      await device.toDevices([kernels], rows.trainRows - 1);
      expect(gpu.used()).toBe(before.used);
      await device.toDevices([kernels], rows.trainRows);
      expect(gpu.used()).toBeGreaterThan(before.used);
      for (let step = 0; step < (2 * rows.trainRows) / 37; step++) {
        const got: Batch[] = [];
        const read = await gpu.bytesRead(
          async () => void got.push(...(device.batches(0.7, [kernels]) ?? [])),
        );
        expect(read).toBe(0);
        expect(batchValues(got[0] ?? expect.fail('the rows came by the host'))).toEqual(
          batchValues(byHost(host)),
        );
        expect(device.state()).toEqual(host.state());
        if (step !== 5) continue;
        // A checkpoint says where another reader goes on.
        device.restore({ ...device.state(), position: 11 });
        host.restore(device.state());
      }
      await device.close();
      expect(device.batches(0.7, [kernels])).toBeNull();
      expect({ tensors: tf.memory().numTensors, used: gpu.used() }).toEqual(before);
      opened.close();
    },
  );

  test('where the device has no memory left for others, or too little to begin with, they come by the host', async () => {
    const opened = await openCapture(store, 'float16');
    const options = { seed: 1, batchSize: 20, outputHook: neurons };
    const [host, device] = [0, 1].map(() => new ShuffledBatches(opened, residual, options));
    const kernels = fusedKernels();
    const { rowStores = expect.fail('webgpu has no memory for rows') } = kernels;
    const used = gpu.used();
    const bytes = 2 * opened.trainRows * (device.d + (device.outputWidth ?? 0));
    const small = { rowStores: { ...rowStores, ampleBytes: bytes - 1 } };
    await device.toDevices([small], 1e6);
    expect(device.batches(0.7, [small])).toBeNull();
    await device.toDevices([kernels], 1e6);
    const [batch] = device.batches(0.7, [kernels]) ?? expect.fail('not there');
    expect(batchValues(batch)).toEqual(batchValues(byHost(host)));
    expect(gpu.used()).toBe(used + bytes);
    await gpu.exhaust();
    expect(gpu.used()).toBe(used);
    expect(device.batches(0.7, [kernels])).toBeNull();
    expect(batchValues(byHost(device))).toEqual(batchValues(byHost(host)));
    opened.close();
  });

  test('a run has the same metrics and the same dictionary', async () => {
    const config = defaultTrainingConfig('topk', {
      capture: 'float16', hook: residual, outputHook: neurons, skip: true, d: 8, width: 24, k: 3, seeds: [5], batchSize: 64,
      tokens: 64 * 16, deadAfter: 128, auxCoefficient: 0.1,
    }); // prettier-ignore
    const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'webgpu', threads: 1 };
    const { rowStores = expect.fail('webgpu has no memory for rows'), ...plain } = fusedKernels();
    const batch = vi.fn<typeof rowStores.batch>(rowStores.batch);
    const run = async (name: string, kernels: ReturnType<typeof fusedKernels>) => {
      await train({ store, name, config, environment, kernels });
      const { wEnc, bEnc, wDec, bDec, wSkip } = await readDictionary(store.dictionary(name, 5));
      const losses = (await readMetrics(store.runMetrics(name))).map(({ loss, fvu }) => [loss, fvu]);
      return { losses, wEnc, bEnc, wDec, bDec, wSkip };
    };
    const byHost = await run('host', plain);
    expect(await run('device', { ...plain, rowStores: { ...rowStores, batch } })).toEqual(byHost);
    expect(batch).toHaveBeenCalledTimes(32);
  });
});
