/** Training steps that are launched as graphs, on the device in software unless LAZYSCOPE_CUDA_DEVICE names another: the same bits as kernel by kernel. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { smallConfig, type SmallRun, smallSource } from '../../fixtures/smallRuns.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { TrainingConfig } from '../../spec/architectures/architectures.ts';
import { tf } from '../../tensor/tf.ts';
import { initialState } from '../../training/initialState.ts';
import { type StepMetrics, Trainer } from '../../training/trainer.ts';
import { startBackend } from '../startBackend.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaFusedKernels } from './fused.ts';

chooseCudaDeviceForTests();

interface Run {
  architecture: SmallRun;
  steps?: number;
  settings?: object;
  kernels?: FusedKernels;
  /** Between two steps. */
  between?: (step: number) => void;
}

const backend = () => tf.backend() as CudaBackend;

/** Two seeds, whose latents don't count as dead unless `settings` says so. */
async function trained({ architecture, steps = 14, settings, kernels, between }: Run) {
  const usual = { ...smallConfig(architecture, 60), seeds: [1, 5], deadAfter: 1e9 };
  const config = { ...usual, ...settings } as TrainingConfig;
  const source = smallSource(architecture);
  const state = initialState(config, source);
  source.restore({ seed: 0, epoch: 0, position: 0 });
  const trainer = new Trainer(config, source, state, kernels);
  const metrics: StepMetrics[][] = [];
  const launches: number[] = [];
  try {
    for (let step = 0; step < steps; step++) {
      between?.(step);
      const before = backend().programs.launches;
      metrics.push(await trainer.advance(step % 3 === 0));
      launches.push(backend().programs.launches - before);
    }
    const counts = trainer.stepCounts ?? expect.fail('no steps are recorded');
    return { result: { metrics, end: trainer.state() }, counts, launches };
  } finally {
    trainer.dispose();
  }
}

type Trained = Awaited<ReturnType<typeof trained>>;

/** With graphs and without them. */
async function both(run: Run): Promise<Trained> {
  backend().graphs = false;
  const want = await trained(run);
  expect(want.counts.replayed).toBe(0);
  backend().graphs = true;
  const got = await trained(run);
  expect(got.result).toEqual(want.result);
  return got;
}

const architectures = ['topk', 'relu', 'jumprelu', 'batchtopk', 'gated', 'matryoshka', 'matryoshkatopk'] as const; // prettier-ignore

describe('training steps as graphs', () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('cuda', { path: 'sparse' }));
  afterEach(async () => {
    vi.restoreAllMocks();
    await startBackend('cuda', { path: 'sparse' });
  });

  test.each(architectures)('%s: two seeds, to the same bits', async (architecture) => {
    const { counts, launches } = await both({ architecture });
    expect(counts.replayed).toBeGreaterThanOrEqual(12);
    // The kernels of the batch alone, which is scaled once for both seeds.
    expect(Math.min(...launches)).toBe(4);
  });

  test.each(architectures)('a transcoder of %s with a skip connection', async (architecture) => {
    const { counts, launches } = await both({
      architecture: `${architecture} transcoder`,
      settings: { clipNorm: 0.3 },
    });
    expect(counts.replayed).toBeGreaterThanOrEqual(12);
    // The kernels of the inputs and of the outputs.
    expect(Math.min(...launches)).toBe(8);
  });

  test('what is kept as a matrix too', async () => {
    await startBackend('cuda', { path: 'dense' });
    const { counts } = await both({ architecture: 'relu' });
    expect(counts.replayed).toBeGreaterThanOrEqual(12);
  });

  test.each(['topk', 'jumprelu', 'batchtopk'] as const)(
    '%s: screened, and with copies in bfloat16',
    async (architecture) => {
      await startBackend('cuda', { path: 'sparse', storage: 'bf16' });
      const choice = { path: 'sparse' } as const;
      const kernels = cudaFusedKernels(backend(), { screening: 'always', choice });
      const { counts } = await both({ architecture, kernels });
      expect(counts.replayed).toBeGreaterThanOrEqual(12);
    },
  );

  test('learning rate and penalty change at every step; gradients are clipped', async () => {
    const settings = { clipNorm: 0.5, targetL0: 5, learningRate: 3e-3 };
    const { counts } = await both({ architecture: 'relu', settings, steps: 24 });
    expect(counts.replayed).toBeGreaterThanOrEqual(24);
    const { counts: ofJump } = await both({
      architecture: 'jumprelu',
      settings: { targetL0: null, clipNorm: 0.5 },
    });
    expect(ofJump.replayed).toBeGreaterThanOrEqual(12);
  });

  test.each(['topk', 'batchtopk', 'matryoshka', 'matryoshkatopk'] as const)(
    '%s: steps with dead latents, however many, and without',
    async (architecture) => {
      const settings = { deadAfter: 16 * 3, auxCoefficient: 0.2 };
      const { counts } = await both({ architecture, settings, steps: 24 });
      // Two seeds: two steps that are launched, and one that is recorded, of what has no dead latents, and of up to 32 and up to 48.
      expect(counts.replayed).toBeGreaterThanOrEqual(48 - 2 * 9);
    },
  );

  test('dead latents come and go', async () => {
    const dead: number[][] = [];
    const settings = { deadAfter: 16 * 2, auxCoefficient: 0.2, learningRate: 0.02 };
    const run = { architecture: 'topk', settings, steps: 24 } as const;
    for (const placesAnEntry of [Infinity, 0]) {
      const kernels = cudaFusedKernels(backend(), { placesAnEntry });
      const { counts, result } = await both({ ...run, kernels });
      expect(counts.replayed).toBeGreaterThanOrEqual(48 - 2 * 9);
      dead.push(result.metrics.map(([{ deadFraction }]) => Math.round(48 * deadFraction)));
    }
    for (const counts of dead) {
      expect(counts[0]).toBe(0);
      expect(new Set(counts).size).toBeGreaterThan(5);
    }
  });

  test('memory that others use between the steps stays theirs', async () => {
    const kept: { tensor: ReturnType<typeof tf.range>; step: number }[] = [];
    const between = (step: number) => {
      // As large as what a step uses.
      for (const size of [16, 48, 16 * 16, 48 * 16, 16 * 48])
        kept.push({ tensor: tf.range(0, size).add(step), step });
    };
    await both({ architecture: 'topk', between });
    for (const { tensor, step } of kept)
      expect([...tensor.dataSync()]).toEqual(Array.from({ length: tensor.size }, (_, i) => i + step));
    tf.dispose(kept.map(({ tensor }) => tensor));
  });

  test('another storage between two steps is another step', async () => {
    const between = (step: number) => {
      backend().storage = step < 8 ? 'f32' : 'bf16';
    };
    const { counts } = await both({ architecture: 'topk', between, steps: 18 });
    expect(counts.replayed).toBeGreaterThanOrEqual(16);
  });

  test('a step that waits for the device in its middle is not captured, and the reason is said', async () => {
    await startBackend('cuda');
    const usual = fusedKernels();
    const kernels: FusedKernels = {
      ...usual,
      firings(entries, threshold) {
        const firings = usual.firings(entries, threshold);
        if ('dataSync' in firings.counts) firings.counts.dataSync();
        return firings;
      },
    };
    const before = tf.memory().numTensors;
    const { counts } = await both({ architecture: 'topk', kernels });
    expect(counts).toEqual({
      replayed: 0,
      launched: 28,
      why: "A step can't be recorded, because it read from the device in its middle.",
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  test('while kernels are timed, each is launched by itself', async () => {
    const [config, source] = [smallConfig('topk'), smallSource()];
    const trainer = new Trainer(config, source, initialState(config, source));
    for (let step = 0; step < 5; step++) await trainer.advance();
    const times = await fusedKernels().timed?.(async () => void (await trainer.advance()));
    expect(times?.map(({ kernel }) => kernel)).toContain('updateRows');
    expect(trainer.stepCounts).toMatchObject({ why: 'The time of each kernel is measured.' });
    trainer.dispose();
  });

  test('a trainer that is gone leaves neither tensors nor memory', async () => {
    // Short lists of numbers are kept for whoever trains next.
    for (const architecture of ['gated', 'matryoshka'] as const) await trained({ architecture });
    const before = { tensors: tf.memory().numTensors, used: backend().memoryPool.bytes.used };
    for (const architecture of architectures) await trained({ architecture });
    await trained({ architecture: 'topk' });
    expect({ tensors: tf.memory().numTensors, used: backend().memoryPool.bytes.used }).toEqual(before);
  });

  test('memory that only recordings need is let go of before there is none', async () => {
    const [config, source] = [{ ...smallConfig('topk'), deadAfter: 1e9 }, smallSource()];
    const trainer = new Trainer(config, source, initialState(config, source));
    for (let step = 0; step < 5; step++) await trainer.advance();
    const { memoryPool, device } = backend();
    const used = memoryPool.bytes.used;
    expect(() => memoryPool.take(2 * device.totalBytes)).toThrow(/has no memory for/);
    expect(memoryPool.bytes.used).toBeLessThan(used);
    const before = trainer.stepCounts?.replayed ?? 0;
    for (let step = 0; step < 5; step++) await trainer.advance();
    expect(trainer.stepCounts?.replayed).toBeGreaterThan(before);
    trainer.dispose();
  });
});
