/**
 * What a training step moves between host and device. A step sends its batch and reads back some numbers of each latent; nothing that has a
 * number for each row and latent may come to the host, where no kernel of the device works on it.
 */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { architectureNames } from '../../spec/architectures/architectures.ts';
import { type SmallRun, smallConfig, smallSource } from '../../fixtures/smallRuns.ts';
import { tf, type Tensor, type Tf } from '../../tensor/tf.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import type { EncoderPath } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';

const adapter = await adapterForTests();

interface Traffic {
  /** Numbers sent to the device. */
  sent: number;
  /** Numbers read back while the host waits inside of an operation: the sizes of the tensors. */
  waitedFor: number[];
  /** Numbers read back together at the end of a step. */
  read: number;
  /** Operations that the host computed. */
  onHost: number;
}

/** Counts what `run` moves. */
async function trafficOf(run: () => Promise<unknown>): Promise<Traffic> {
  const backend = tf.backend() as DeviceBackend;
  const traffic: Traffic = { sent: 0, waitedFor: [], read: 0, onHost: 0 };
  const { uploadToGPU, readSync, readTogether, read, shouldExecuteOnCPU } = backend;
  const sizeOf = (dataId: Tf.TensorInfo['dataId']) =>
    tf.util.sizeFromShape(backend.tensorMap.get(dataId).shape);
  const spies = [
    vi.spyOn(backend, 'uploadToGPU').mockImplementation((dataId) => {
      const { values, resource } = backend.tensorMap.get(dataId);
      if (values && !resource) traffic.sent += values.length;
      uploadToGPU.call(backend, dataId);
    }),
    vi.spyOn(backend, 'readSync').mockImplementation((dataId) => {
      const { values } = backend.tensorMap.get(dataId);
      if (!values) traffic.waitedFor.push(sizeOf(dataId));
      return readSync.call(backend, dataId);
    }),
    vi.spyOn(backend, 'read').mockImplementation((dataId) => {
      traffic.read += sizeOf(dataId);
      return read.call(backend, dataId);
    }),
    vi.spyOn(backend, 'readTogether').mockImplementation((tensors: readonly Tensor[]) => {
      for (const { size } of tensors) traffic.read += size;
      return readTogether.call(backend, tensors);
    }),
    vi.spyOn(backend, 'shouldExecuteOnCPU').mockImplementation((inputs, threshold) => {
      const onHost = shouldExecuteOnCPU.call(backend, inputs, threshold);
      if (onHost) traffic.onHost++;
      return onHost;
    }),
  ];
  try {
    await run();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return traffic;
}

/** A trainer of a small run, a quarter of whose latents are dead and stay so. */
function trainerOf(run: SmallRun): Trainer {
  const [config, source] = [smallConfig(run), smallSource(run)];
  const state = initialState(config, source);
  source.restore({ seed: 0, epoch: 0, position: 0 });
  for (const { parameters, sinceFired } of state.dictionaries)
    for (let latent = 0; latent < config.width; latent += 4) {
      sinceFired[latent] = 1e9;
      parameters.bEnc[latent] = -100;
    }
  return new Trainer(config, source, state);
}

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('webgpu'));

  const both = (path: EncoderPath) =>
    (['relu', 'jumprelu', 'gated'] as const).map((name) => [name, path] as const);
  const runs: (readonly [SmallRun, EncoderPath])[] = [
    ...both('sparse'),
    ...both('dense'),
    ...architectureNames.map((name) => [`${name} transcoder`, 'auto'] as const),
    ...(['topk', 'batchtopk', 'matryoshka', 'matryoshkatopk'] as const).map(
      (name) => [name, 'auto'] as const,
    ),
  ];
  test.each(runs)('%s, path %s: no matrix of rows and latents', async (run, path) => {
    await startBackend('webgpu', { path });
    const trainer = trainerOf(run);
    const { seeds, width, batchSize } = trainer.config;
    const { d, outputWidth = 0 } = smallSource(run);
    // The first step may make what others have again.
    await trainer.advance();
    for (let step = 0; step < 3; step++) {
      const { sent, waitedFor, read, onHost } = await trafficOf(async () => {
        for (const { deadFraction } of await trainer.advance())
          expect(deadFraction).toBeGreaterThanOrEqual(0.25);
      });
      expect(onHost).toBe(0);
      // The encoder may have to know how long its list is.
      expect(waitedFor.filter((size) => size > 1)).toEqual([]);
      expect(sent).toBeLessThanOrEqual(batchSize * (d + outputWidth) + seeds.length * (width + 32));
      expect(read).toBeGreaterThan(0);
      expect(read).toBeLessThanOrEqual(seeds.length * (3 * width + 8));
      expect(Math.max(sent, read)).toBeLessThan(batchSize * width);
    }
    trainer.dispose();
    await startBackend('webgpu');
  });
});
