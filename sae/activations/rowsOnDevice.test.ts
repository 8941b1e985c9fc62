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
import { batchByHost, batchValues } from '../fixtures/batchValues.ts';
import { letterCapture } from '../fixtures/letterCapture.ts';
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
import { jointRows } from './jointRows.ts';
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
  const byHost = (source: ShuffledBatches) => batchByHost(source, 0.7);

  const joint = `${residual},${neurons}` as const;
  const layers = [
    { hook: residual, width: 4, scale: 0.3141592653589793 },
    { hook: neurons, width: 8, scale: 1.718281828459045 },
  ];
  /** Rows of one hook point, of a transcoder's two, or of a crosscoder's two side by side. */
  type Kind = 'plain' | 'transcoder' | 'crosscoder';
  async function opened(
    name: string,
    kind: Kind,
    options: { rule?: string; memoryBudget?: number; asStored?: boolean },
  ) {
    const { rule = 'none', ...how } = options;
    const whole = await openCapture(store, name, how);
    const rows = selectRows(
      whole,
      kind === 'plain' ? [residual] : [residual, neurons],
      parseExclusionRule(rule),
    );
    expect(rows.excluded.length > 0).toBe(rule !== 'none');
    const batches = (batchSize: number) =>
      kind === 'crosscoder'
        ? new ShuffledBatches(jointRows(rows, joint, layers), joint, { seed: 3, batchSize })
        : new ShuffledBatches(rows, residual, {
            seed: 3,
            batchSize,
            ...(kind === 'transcoder' && { outputHook: neurons }),
          });
    return { whole, rows, batches };
  }
  const state = () => ({ tensors: tf.memory().numTensors, used: backend().memoryPool.bytes.used });
  const single = (batches: Batch[] | null) => {
    expect(batches).toHaveLength(1);
    return batchValues(batches![0]);
  };

  /** Bytes of rows that the host may keep, and whether it keeps float16 as it is. */
  const ways = [
    ['float16, widened in memory', 'float16', 2 ** 30, false],
    ['float16 in memory', 'float16', 2 ** 30, true],
    ['float16 in files', 'float16', 0, true],
    ['float32 in memory', 'float32', 2 ** 30, true],
    ['float32 in files', 'float32', 0, false],
  ] as const;
  const cases = ways.flatMap(([title, name, memoryBudget, asStored], at) =>
    (['plain', 'transcoder', 'crosscoder'] as const).map(
      (kind) =>
        [
          kind,
          title,
          at % 2 === 0 ? 'none' : 'position:2,norm:1.1',
          { name, memoryBudget, asStored },
        ] as const,
    ),
  );
  test.each(cases)(
    '%s, %s, without rows of %s: two epochs as the host sends them, and as the device has them',
    async (kind, _, rule, { name, ...how }) => {
      const { whole, rows, batches } = await opened(name, kind, { rule, ...how });
      const plain = await opened(name, kind, { rule });
      const [sent, device, host] = [batches(37), batches(37), plain.batches(37)];
      const kernels = fusedKernels();
      const steps = Math.ceil((2 * rows.trainRows) / 37);
      const before = state();
      await device.toDevices([kernels], rows.trainRows - 1);
      expect(state()).toEqual(before);
      await device.toDevices([kernels], rows.trainRows);
      expect(state().used).toBeGreaterThan(before.used);
      // Another device has no rows.
      const elsewhere = { ...(kernels.rowStores ?? expect.fail()) };
      expect(device.batches(0.7, [{ rowStores: elsewhere }])).toBeNull();
      for (let step = 0; step < steps; step++) {
        const want = batchValues(byHost(host));
        expect(single(sent.batches(0.7, [kernels]))).toEqual(want);
        expect(single(device.batches(0.7, [kernels]))).toEqual(want);
        for (const source of [sent, device]) expect(source.state()).toEqual(host.state());
        // A checkpoint says where another reader goes on.
        if (step === 5)
          for (const source of [sent, device, host]) source.restore({ ...source.state(), position: 11 });
      }
      for (const source of [sent, device, host]) await source.close();
      expect(state()).toEqual(before);
      for (const capture of [whole, plain.whole]) capture.close();
    },
  );

  test.each(['transcoder', 'crosscoder'] as const)(
    'of a %s, where the device has no memory left for others they come by the host',
    async (kind) => {
      const { whole, batches } = await opened('float16', kind, {});
      const [host, device] = [batches(20), batches(20)];
      const kernels = fusedKernels();
      const stores = kernels.rowStores ?? expect.fail();
      const alone = { rowStores: stores };
      await device.toDevices([alone], 1e6);
      expect(single(device.batches(0.7, [alone]))).toEqual(batchValues(byHost(host)));
      const { memoryPool, device: gpu } = backend();
      const { used } = memoryPool.bytes;
      expect(() => memoryPool.take(2 * gpu.totalBytes)).toThrow(/has no memory for/);
      expect(memoryPool.bytes.used).toBeLessThan(used);
      expect(device.batches(0.7, [alone])).toBeNull();
      expect(batchValues(byHost(device))).toEqual(batchValues(byHost(host)));
      expect(single(device.batches(0.7, [kernels]))).toEqual(batchValues(byHost(host)));
      whole.close();
    },
  );

  test('where the rows go while a transcoder’s batch is made, its place in the order stays and nothing is left over', async () => {
    const { whole, batches } = await opened('float16', 'transcoder', {});
    const [host, device] = [batches(20), batches(20)];
    const stores = fusedKernels().rowStores ?? expect.fail();
    let after = () => {};
    const alone = {
      rowStores: {
        ...stores,
        batch: (...args: Parameters<typeof stores.batch>) => {
          const batch = stores.batch(...args);
          after();
          return batch;
        },
      },
    };
    const before = state();
    await device.toDevices([alone], 1e6);
    after = () => {
      expect(() => backend().memoryPool.take(2 * backend().device.totalBytes)).toThrow(/has no memory for/);
    };
    expect(device.batches(0.7, [alone])).toBeNull();
    expect(state()).toEqual(before);
    expect(device.state()).toEqual(host.state());
    expect(batchValues(byHost(device))).toEqual(batchValues(byHost(host)));
    whole.close();
  });

  test('a capture that would leave too little memory, and a reading that is stopped', async () => {
    const { whole, batches } = await opened('float32', 'crosscoder', {});
    const source = batches(20);
    const stores = fusedKernels().rowStores ?? expect.fail('cuda has memory for rows');
    const bytes = 4 * source.d * whole.trainRows;
    const [small, other, enough] = [bytes - 1, 2 ** 30, bytes].map((ampleBytes) => ({
      rowStores: { ...stores, ampleBytes },
    }));
    const before = state();
    await source.toDevices([small], 1e6);
    expect(source.batches(1, [small])).toBeNull();
    await source.toDevices([other], 1e6, AbortSignal.abort());
    expect(source.batches(1, [other])).toBeNull();
    expect(state()).toEqual(before);
    await source.toDevices([small, enough], 1e6);
    expect(source.batches(1, [small, enough])).toBeNull();
    const [batch] = source.batches(1, [enough]) ?? expect.fail('it has memory for them');
    batchValues(batch);
    await source.close();
    expect(state()).toEqual(before);
    whole.close();
  });

  test.each(['plain', 'transcoder', 'crosscoder'] as const)(
    'a run has the same metrics and the same dictionary: %s',
    async (kind) => {
      const read = {
        plain: { hook: residual, d: 8 },
        transcoder: { hook: residual, outputHook: neurons, skip: true, d: 8 },
        crosscoder: { hook: joint, d: 12 },
      };
      const config = defaultTrainingConfig('topk', {
        capture: 'float16', ...read[kind], width: 24, k: 3, seeds: [5], batchSize: 128, tokens: 128 * 8, deadAfter: 256,
        auxCoefficient: 0.1,
      }); // prettier-ignore
      const {
        rowStores = expect.fail(),
        hostBatch = expect.fail(),
        batchMemory,
        giveBatchMemory,
        ...plain
      } = fusedKernels();
      const { jointBatch = expect.fail() } = rowStores;
      const gathered = vi.fn<typeof rowStores.batch>(rowStores.batch);
      const side = vi.fn<typeof jointBatch>(jointBatch);
      const sent = vi.fn<typeof hostBatch>(hostBatch);
      const ways: Record<string, FusedKernels> = {
        fresh: plain,
        kept: {
          ...plain,
          batchMemory: batchMemory ?? expect.fail(),
          giveBatchMemory: giveBatchMemory ?? expect.fail(),
        },
        device: { ...plain, rowStores: { ...rowStores, batch: gathered, jointBatch: side } },
        sent: { ...plain, rowStores: { ...rowStores, ampleBytes: 0 }, hostBatch: sent },
      };
      const found: Record<string, unknown> = {};
      if (kind !== 'plain') delete ways.kept;
      for (const [way, kernels] of Object.entries(ways)) {
        const name = `${way}-${kind}`;
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
      const eachStep = kind === 'transcoder' ? 2 : 1;
      expect(gathered).toHaveBeenCalledTimes(kind === 'crosscoder' ? 0 : 8 * eachStep);
      expect(side).toHaveBeenCalledTimes(kind === 'crosscoder' ? 8 : 0);
      expect(sent).toHaveBeenCalledTimes(8 * eachStep);
      if (kind === 'plain') expect(found.kept).toEqual(found.fresh);
      expect(found.device).toEqual(found.fresh);
      expect(found.sent).toEqual(found.fresh);
    },
  );
});
