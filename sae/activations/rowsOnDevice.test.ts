/** Rows of a capture that are gathered on the device: those that come from the host, to the bit, in the same order. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readDictionary } from '../autoencoders/dictionaryFile.ts';
import type { CudaBackend } from '../backends/cuda/cudaBackend.ts';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { noSoftwareDevice } from '../backends/cuda/cudaForTests.ts';
import { startBackend } from '../backends/startBackend.ts';
import { letterCapture } from '../fixtures/letterCapture.ts';
import { hostNumber } from '../ops/computed.ts';
import type { FusedKernels } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import type { Batch } from '../ops/trainingStep.ts';
import { StoreLayout } from '../store/layout.ts';
import { tf } from '../tensor/tf.ts';
import { defaultTrainingConfig } from '../training/defaults.ts';
import { readMetrics } from '../training/metrics.ts';
import { train } from '../training/train.ts';
import { capture } from './capture.ts';
import { parseExclusionRule } from './exclusionRule.ts';
import { openCapture } from './openCapture.ts';
import { selectRows } from './selectRows.ts';
import { ShuffledBatches } from './shuffledBatches.ts';

chooseCudaDeviceForTests();

const [residual, neurons] = ['blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'];
const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'cuda', threads: 1 };

describe.skipIf(noSoftwareDevice)(`on the cuda backend${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  let folder: string;
  let store: StoreLayout;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-rows-on-device-'));
    store = new StoreLayout(folder);
    await startBackend('native', { threads: 1 });
    for (const dtype of ['float16', 'float32'] as const)
      await capture({ ...letterCapture(store), name: dtype, dtype });
    await startBackend('cuda');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const backend = () => tf.backend() as CudaBackend;
  const values = ({ x, target, variance }: Batch) => {
    const all = {
      x: [...x.dataSync()],
      target: target && [...target.dataSync()],
      variance: hostNumber(variance),
    };
    tf.dispose([x, ...(target ? [target] : []), ...(typeof variance === 'number' ? [] : [variance])]);
    return all;
  };
  /** A batch that goes by the host. */
  function byHost(source: ShuffledBatches): Batch {
    const kernels = fusedKernels();
    const x = kernels.scaledBatch(source.next(), source.d, 0.7);
    const outputs = source.outputs?.();
    if (!outputs) return x;
    if (typeof x.variance !== 'number') x.variance.dispose();
    const y = kernels.scaledBatch(outputs, source.outputWidth ?? source.d, 0.7);
    return { x: x.x, target: y.x, variance: y.variance };
  }

  test.each<[string, 'float16' | 'float32', string, string | undefined, number]>([
    ['float16', 'float16', 'none', undefined, 2 ** 30],
    ['float32, from files', 'float32', 'none', undefined, 0],
    ['without some rows', 'float16', 'position:2,norm:1.1', undefined, 2 ** 30],
    ['a transcoder’s, without some rows', 'float32', 'position:3', neurons, 0],
  ])(
    '%s: two epochs, and a reader that goes on elsewhere',
    async (_, name, rule, outputHook, memoryBudget) => {
      const opened = await openCapture(store, name, { memoryBudget });
      const rows = selectRows(
        opened,
        outputHook ? [residual, outputHook] : [residual],
        parseExclusionRule(rule),
      );
      expect(rows.excluded.length > 0).toBe(rule !== 'none');
      const options = { seed: 3, batchSize: 37, outputHook };
      const [host, device] = [0, 1].map(() => new ShuffledBatches(rows, residual, options));
      const kernels = fusedKernels();
      const steps = Math.ceil((2 * rows.trainRows) / 37);
      expect(device.batch(0.7, kernels)).toBeNull();
      const before = { tensors: tf.memory().numTensors, used: backend().memoryPool.bytes.used };
      await device.toDevice(kernels, rows.trainRows - 1);
      expect(backend().memoryPool.bytes.used).toBe(before.used);
      await device.toDevice(kernels, rows.trainRows);
      expect(backend().memoryPool.bytes.used).toBeGreaterThan(before.used);
      for (let step = 0; step < steps; step++) {
        const got = device.batch(0.7, kernels) ?? expect.fail('the rows came by the host');
        expect(values(got)).toEqual(values(byHost(host)));
        expect(device.state()).toEqual(host.state());
        if (step === 5) {
          // A checkpoint says where another reader goes on.
          device.restore({ ...device.state(), position: 11 });
          host.restore(device.state());
        }
      }
      await device.close();
      expect(device.batch(0.7, kernels)).toBeNull();
      expect({ tensors: tf.memory().numTensors, used: backend().memoryPool.bytes.used }).toEqual(before);
      opened.close();
    },
  );

  test('where the device has no memory left for others they come by the host', async () => {
    const opened = await openCapture(store, 'float16');
    const [host, device] = [0, 1].map(
      () => new ShuffledBatches(opened, residual, { seed: 1, batchSize: 20, outputHook: neurons }),
    );
    const kernels = fusedKernels();
    await device.toDevice(kernels, 1e6);
    expect(values(device.batch(0.7, kernels) ?? expect.fail('not there'))).toEqual(values(byHost(host)));
    const { memoryPool, device: gpu } = backend();
    const { used } = memoryPool.bytes;
    expect(() => memoryPool.take(2 * gpu.totalBytes)).toThrow(/has no memory for/);
    expect(memoryPool.bytes.used).toBeLessThan(used);
    expect(device.batch(0.7, kernels)).toBeNull();
    expect(values(byHost(device))).toEqual(values(byHost(host)));
    opened.close();
  });

  test('a capture that would leave too little memory, and a reading that is stopped', async () => {
    const opened = await openCapture(store, 'float32');
    const source = new ShuffledBatches(opened, residual, { seed: 1, batchSize: 20 });
    const { rowStores = expect.fail('cuda has memory for rows') } = fusedKernels();
    const bytes = 4 * source.d * opened.trainRows;
    const small = { rowStores: { ...rowStores, ampleBytes: bytes - 1 } };
    await source.toDevice(small, 1e6);
    expect(source.batch(1, small)).toBeNull();
    const { used } = backend().memoryPool.bytes;
    await source.toDevice(fusedKernels(), 1e6, AbortSignal.abort());
    expect(source.batch(1, fusedKernels())).toBeNull();
    expect(backend().memoryPool.bytes.used).toBe(used);
    const enough = { rowStores: { ...rowStores, ampleBytes: bytes } };
    await source.toDevice(enough, 1e6);
    expect(source.batch(1, enough)).not.toBeNull();
    await source.close();
    opened.close();
  });

  test.each([undefined, neurons])(
    'a run has the same metrics and the same dictionary; outputs: %s',
    async (outputHook) => {
      const config = defaultTrainingConfig('topk', {
      capture: 'float16', hook: residual, ...(outputHook && { outputHook, skip: true }), d: 8, width: 24, k: 3, seeds: [5],
      batchSize: 64, tokens: 64 * 16, deadAfter: 128, auxCoefficient: 0.1,
    }); // prettier-ignore
      const { rowStores, batchMemory, giveBatchMemory, ...plain } = fusedKernels();
      const gathered = vi.fn<NonNullable<typeof rowStores>['batch']>((...args) =>
        (rowStores ?? expect.fail()).batch(...args),
      );
      const ways: Record<string, FusedKernels> = {
        fresh: plain,
        kept: {
          ...plain,
          batchMemory: batchMemory ?? expect.fail(),
          giveBatchMemory: giveBatchMemory ?? expect.fail(),
        },
        device: { ...plain, rowStores: { ...(rowStores ?? expect.fail()), batch: gathered } },
      };
      const found: Record<string, unknown> = {};
      for (const [way, kernels] of Object.entries(ways)) {
        const name = `${way}-${outputHook ? 'transcoder' : 'autoencoder'}`;
        await train({ store, name, config, environment, kernels });
        const dictionaries = await Promise.all(
          config.seeds.map((seed) => readDictionary(store.dictionary(name, seed))),
        );
        found[way] = {
          losses: (await readMetrics(store.runMetrics(name))).map(({ step, seed, loss, fvu }) => [
            step,
            seed,
            loss,
            fvu,
          ]),
          dictionaries: dictionaries.map(({ wEnc, bEnc, wDec, bDec, wSkip }) => [
            wEnc,
            bEnc,
            wDec,
            bDec,
            wSkip,
          ]),
        };
      }
      expect(gathered).toHaveBeenCalledTimes(outputHook ? 32 : 16);
      expect(found.kept).toEqual(found.fresh);
      expect(found.device).toEqual(found.fresh);
    },
  );
});
