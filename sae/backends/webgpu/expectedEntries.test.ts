/**
 * Steps that choose the form of the entries by an expected count give the same bits as steps that wait for the true count.
 *
 * The batches are silent (zeros), quiet (two rows of sixteen are not zero), full, or loud (full and thirty times as
 * large), so that the number of entries jumps beyond the room of a list, beyond what is kept as a list at all, and back.
 */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { hostNumber } from '../../ops/computed.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { Entries } from '../../ops/sparseEntries.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { BatchSource } from '../../training/batchSource.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer, type TrainerState } from '../../training/trainer.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';

const adapter = await adapterForTests();
const [d, width, rows] = [16, 128, 16];
type Loudness = 'silent' | 'quiet' | 'full' | 'loud';
/** Each step expects the count of the step before. From the second on that is: right, too many, too few for the room of the list, a list where a matrix is right, right, a matrix where a list is right. */
const mixed = ['quiet', 'quiet', 'silent', 'full', 'loud', 'loud', 'quiet'] as const;

/** Number of rows that are not zero. */
const firing = { silent: 0, quiet: 2, full: rows, loud: rows };

function batches(loudness: readonly Loudness[]): BatchSource {
  let position = 0;
  return {
    d,
    batchSize: rows,
    next() {
      const kind = loudness[position];
      const batch = Random.fromSeed(5, position++).normals(rows * d, kind === 'loud' ? 30 : 1);
      return batch.fill(0, firing[kind] * d);
    },
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

const configured = (architecture: 'relu' | 'jumprelu' | 'gated', clipNorm: number | null, seeds: number[]) =>
  defaultTrainingConfig(architecture, {
    capture: 'made', hook: 'none', d, width, seeds, batchSize: rows, tokens: rows * mixed.length, clipNorm,
    learningRate: 1e-4, warmupSteps: 0,
  }); // prettier-ignore
type Config = ReturnType<typeof configured>;

/** Parameters in which few latents fire: random unit rows, with thresholds `cuts[i]` in dictionary i; on a zero row none fires. */
function state(config: Config, cuts: readonly number[]): TrainerState {
  const made = initialState(config, batches(Array.from<Loudness>({ length: 1000 }).fill('full')));
  made.dictionaries.forEach(({ parameters }, i) => {
    // ReLU's rows are short at first.
    parameters.wEnc.set(parameters.wDec.map((w) => (config.architecture === 'relu' ? 10 * w : w)));
    parameters.bDec.fill(0);
    parameters.bEnc.fill(config.architecture === 'jumprelu' ? 0 : -cuts[i]);
    parameters.bMag?.fill(-cuts[i]);
    parameters.logThreshold?.fill(Math.log(cuts[i]));
  });
  return { ...made, scale: 1 };
}

/** Kernels that record what the encoder was called with and what it returned; with `wait`, they are given no expected count. */
function watched(calls: string[], wait: boolean): FusedKernels {
  const kernels = fusedKernels();
  return {
    ...kernels,
    thresholdEncode(x, encoder, { expected, ...selection }) {
      const entries = kernels.thresholdEncode(x, encoder, wait ? selection : { ...selection, expected });
      calls.push(`${entries.kind} ${expected === undefined || wait ? 'known' : 'guessed'}`);
      return entries;
    },
  };
}

/** Trains on the batches of `loudness`; `waits` in the result is how often each step waited for the device. */
async function run(config: Config, from: TrainerState, loudness: readonly Loudness[], wait = false) {
  const calls: string[] = [];
  const source = batches(loudness);
  source.restore({ seed: 0, epoch: 0, position: from.step });
  const trainer = new Trainer(config, source, structuredClone(from), watched(calls, wait));
  const readSync = vi.spyOn(tf.backend() as DeviceBackend, 'readSync');
  const [metrics, waits]: [unknown[], number[]] = [[], []];
  while (trainer.step < loudness.length) {
    readSync.mockClear();
    metrics.push(await trainer.advance());
    waits.push(readSync.mock.calls.length);
  }
  readSync.mockRestore();
  const end = trainer.state();
  trainer.dispose();
  return { metrics, end, calls, waits };
}

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
  beforeAll(() => startBackend('webgpu'));

  test.each([
    ['relu', null],
    ['gated', 0.01],
  ] as const)(
    '%s: steps in which the number of entries jumps end in the same bits as steps that wait',
    async (architecture, clipNorm) => {
      const config = configured(architecture, clipNorm, [1]);
      const from = state(config, [2]);
      const [want, got] = [await run(config, from, mixed, true), await run(config, from, mixed)];
      expect(got.end).toEqual(want.end);
      expect(got.metrics).toEqual(want.metrics);
      expect(want.waits).toEqual([1, 1, 1, 1, 1, 1, 1]);
      expect(got.waits).toEqual([1, 0, 0, 1, 1, 0, 1]);
      expect(got.calls).toEqual([
      'sparse known',
      'sparse guessed',
      'sparse guessed',
      'sparse guessed', 'sparse known',
      'sparse guessed', 'dense known',
      'dense guessed',
      'dense guessed', 'sparse known',
    ]); // prettier-ignore
    },
  );

  test('of two seeds only the one with too many entries repeats its step, and clipping sees no trace of it', async () => {
    const config = configured('jumprelu', 0.01, [1, 2]);
    // In the second dictionary no latent fires.
    const from = state(config, [2, 1000]);
    const loudness = mixed.slice(0, 4);
    const [want, got] = [await run(config, from, loudness, true), await run(config, from, loudness)];
    expect(got.end).toEqual(want.end);
    expect(got.metrics).toEqual(want.metrics);
    expect(want.waits).toEqual([2, 2, 2, 2]);
    expect(got.waits).toEqual([2, 0, 0, 1]);
  });

  test('resumed before such a step, when nothing is expected yet, it ends in the same bits', async () => {
    const config = configured('jumprelu', 0.01, [1]);
    const from = state(config, [2]);
    const loudness = ['quiet', 'quiet', 'full', 'quiet'] as const;
    const whole = await run(config, from, loudness);
    const { end } = await run(config, from, loudness.slice(0, 2));
    const resumed = await run(config, end, loudness);
    expect(resumed.end).toEqual(whole.end);
    expect([whole.waits, resumed.waits]).toEqual([
      [1, 0, 1, 0],
      [1, 0],
    ]);
  });

  describe('thresholdEncode with an expected count', () => {
    // On row r the latents below r/2 fire, which makes 400 of 8640 possible entries.
    const [many, latents, limit] = [40, 216, 664];
    const x = () => tf.pad(tf.range(0, many).expandDims<Tensor2D>(1), [[0, 0], [0, 3]]) as Tensor2D; // prettier-ignore
    const encoder = () => ({
      wEnc: tf.ones([latents, 4]) as Tensor2D,
      bEnc: tf.range(0, latents).mul<Tensor1D>(-2),
      centre: null,
    });
    const found = (expected?: number) =>
      fusedKernels().thresholdEncode(x(), encoder(), { threshold: null, bandwidth: 0, expected });
    const list = (entries: Entries) => {
      if (entries.kind === 'dense') throw new Error('expected a list');
      const rowStart = [...entries.rowStart.dataSync()];
      const count = rowStart[many];
      const parts = [entries.indices, entries.values].map((part) => [...part.dataSync()].slice(0, count));
      return { rowStart, parts, room: entries.indices.size };
    };
    const count = ({ listed }: Entries) => listed && hostNumber(listed.count);

    test('the list is the same, with room for more', () => {
      const want = list(found());
      const got = found(250);
      const { room, ...rest } = list(got);
      expect(want.room).toBe(want.rowStart[many]);
      expect(room).toBeGreaterThan(want.room);
      expect({ ...rest, room: want.room }).toEqual(want);
      expect([count(got), got.listed?.most]).toEqual([want.room, room]);
    });

    test('a list with too little room is cut short, and says how long it would have been', () => {
      const want = list(found());
      const got = found(20);
      const { rowStart, parts, room } = list(got);
      expect(rowStart).toEqual(want.rowStart.map((start) => Math.min(start, room)));
      expect(parts).toEqual(want.parts.map((part) => part.slice(0, room)));
      expect([count(got), got.listed?.most]).toEqual([want.room, room]);
      expect(room).toBeLessThan(want.room);
    });

    test('a path that was asked for is taken whatever the count, known or guessed', async () => {
      const want = list(found()).parts[1].reduce((a, b) => a + b, 0);
      for (const expected of [undefined, 2, 3 * limit]) {
        await startBackend('webgpu', { path: 'dense' });
        const dense = found(expected);
        expect(dense.kind).toBe('dense');
        expect([...tf.relu(dense.values).dataSync()].reduce((a, b) => a + b, 0)).toBe(want);
        await startBackend('webgpu', { path: 'sparse' });
        expect(list(found(expected)).room).toBeGreaterThan(expected === 2 ? 2 : 399);
      }
      await startBackend('webgpu');
    });

    test('where the form is in doubt it waits; where the matrix is certain it says for how many', () => {
      expect(found(0.9 * limit).listed).toEqual({ count: 400, least: 400, most: 400 });
      expect(found(2.1 * limit)).toMatchObject({
        kind: 'dense',
        listed: { least: limit + 1, most: many * latents },
      });
    });
  });
});
