/** Memory of the device that runs out while training: the error says what would fit, and that fits. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { BatchSource } from '../../training/batchSource.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import { Random } from '../../numerics/random.ts';
import { startBackend } from '../startBackend.ts';
import { noSoftwareDevice } from './cudaForTests.ts';

process.env.LAZYSCOPE_CUDA_DEVICE = 'software';
// Of these, 32 MiB are for cuBLASLt.
process.env.LAZYSCOPE_CUDA_MEMORY = String(48 * 2 ** 20);

const d = 32;

function source(batchSize: number): BatchSource {
  let position = 0;
  return {
    d,
    batchSize,
    next: () => Random.fromSeed(position++, 'rows').normals(batchSize * d),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

async function twoSteps(sizes: { width: number; batchSize: number; seeds?: number[] }): Promise<void> {
  const config = defaultTrainingConfig('topk', {
    capture: 'synthetic', hook: 'none', d, tokens: 100 * sizes.batchSize, k: 4, seeds: [1], ...sizes,
  }); // prettier-ignore
  const from = source(sizes.batchSize);
  const trainer = new Trainer(config, from, initialState(config, from));
  try {
    for (let step = 0; step < 2; step++) await trainer.advance();
  } finally {
    trainer.dispose();
  }
}

/** The message's first number after `words`. */
const suggested = (message: string, words: string) => Number(message.split(words)[1]?.match(/\d+/)?.[0]);

describe.skipIf(noSoftwareDevice)(`a device of 48 MiB${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('cuda'));

  const messageOf = (sizes: Parameters<typeof twoSteps>[0]) =>
    twoSteps(sizes).then(
      () => expect.fail('it fitted'),
      (error: Error) => error.message,
    );

  test('a batch that is too large: the one that is named fits', async () => {
    const message = await messageOf({ width: 256, batchSize: 16_384 });
    expect(message).toMatch(
      /^The GPU \(.+\) has no memory for [\d,]+ MB more: .+ are free\. A batch of \d+ should fit in the place of 16384: give batchSize \d+, or choose --backend native\.$/,
    );
    const batchSize = suggested(message, 'A batch of');
    expect(batchSize).toBeGreaterThan(256);
    await twoSteps({ width: 256, batchSize });
  });

  test('a dictionary that is too wide: the width that is named fits', async () => {
    const message = await messageOf({ width: 65_536, batchSize: 16 });
    expect(message).toMatch(/The dictionary alone leaves no room, and one of \d+ latents should fit/);
    await twoSteps({ width: suggested(message, 'and one of'), batchSize: 16 });
  });

  test('too many seeds', async () => {
    const seeds = Array.from({ length: 8 }, (_, seed) => seed);
    expect(await messageOf({ width: 6144, batchSize: 16, seeds })).toMatch(/train fewer seeds at once/);
    await twoSteps({ width: 6144, batchSize: 16 });
  });
});
