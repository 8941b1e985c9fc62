/** Training on copies in 16 bits, compared with training in 32 bits and with copies that are made anew each time. */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { dictionaryVariables, zerosLike } from '../../autoencoders/dictionary.ts';
import type { FusedKernels, DictionaryVariables, GradientRequest } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { Entries } from '../../ops/sparseEntries.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor1D, type Tensor2D, type Variable } from '../../tensor/tf.ts';
import { smallConfig, smallSource, trainUntil } from '../../fixtures/smallRuns.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { webgpuFusedKernels } from './fused.ts';
import { HalfCopies } from './halfCopies.ts';
import { Products } from './matMul.ts';
import { Programs } from './programs.ts';

const adapter = await adapterForTests('shader-f16');

describe.skipIf(!adapter.found)(`copies in 16 bits on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('webgpu'));
  beforeEach(() => startBackend('webgpu', { storage: 'f16' }));

  test('a run that diverges ends with an error that says so', async () => {
    const data = smallSource();
    const config = { ...smallConfig('relu'), learningRate: 1e30, warmupSteps: 0 };
    const trainer = new Trainer(config, data, initialState(config, data));
    const run = async () => {
      for (let step = 0; step < 10; step++) await trainer.advance();
    };
    await expect(run()).rejects.toMatchObject({ message: expect.stringMatching(/^Training diverged/) });
    trainer.dispose();
  });

  describe('a copy is never stale', () => {
    const [rows, latents, d] = [12, 40, 16];
    const backend = () => tf.backend() as DeviceBackend;
    let programs: Programs | undefined;
    /** Kernels that have no copies yet, and process three rows at a time. */
    const afresh = (): FusedKernels => {
      programs ??= new Programs(backend(), { subgroups: false });
      const copies = new HalfCopies(backend(), programs, 'f16');
      return webgpuFusedKernels(backend(), programs, new Products(backend(), programs, copies), {
        blockBytes: 3 * 4 * latents,
      });
    };
    const arrays = (seed: number) => {
      const random = Random.fromSeed(12, seed);
      const [wEnc, bEnc, wDec, bDec] = [latents * d, latents, latents * d, d].map((n) => random.normals(n));
      return { wEnc, bEnc, wDec, bDec, logThreshold: null };
    };
    const x = () => tf.tensor2d(Random.fromSeed(13).normals(rows * d), [rows, d]);

    /** The results of a forward pass and its gradients with the given parameters. */
    function forward(kernels: FusedKernels, parameters: DictionaryVariables, input: Tensor2D, dense = false) {
      const p = parameters as unknown as { wEnc: Tensor2D; bEnc: Tensor1D; wDec: Tensor2D; bDec: Tensor1D };
      const sparse = kernels.topKEncode(input, { wEnc: p.wEnc, bEnc: p.bEnc, centre: p.bDec }, 5);
      const entries: Entries = dense
        ? { kind: 'dense', rows, latents, values: tf.matMul(input, p.wEnc, false, true) }
        : sparse;
      const { error, dots } = kernels.reconstruct(entries, null, { wDec: p.wDec, bias: p.bDec }, input);
      const made: GradientRequest = {
        parameters,
        x: input,
        subtractsDecoderBias: true,
        main: { entries, error, dots, scale: 0.1 },
        auxiliary: null,
        l1: 0,
        jump: null,
      };
      const { wEnc, wDec, bDec } = kernels.gradients(made);
      const results = [sparse.indices, sparse.values, error, dots, wEnc, wDec, bDec].map((t) => [
        ...t.dataSync(),
      ]);
      return { made, results };
    }
    const moments = () => {
      const [first, second] = [0, 0].map(() => dictionaryVariables(zerosLike(arrays(0))));
      return { first, second };
    };

    const { learningRate, beta1, beta2, epsilon, clipNorm } = smallConfig('topk');
    const adam = { learningRate, beta1, beta2, epsilon, clipNorm, step: 1, unitNormDecoder: true };
    const step = (parameters: DictionaryVariables, dense = false) => {
      const { made } = forward(fusedKernels(), parameters, x(), dense);
      fusedKernels().update(made, moments(), adam);
    };
    const ways: Record<string, (parameters: DictionaryVariables) => unknown> = {
      'a step from a list': (parameters) => step(parameters),
      'a step from a matrix': (parameters) => step(parameters, true),
      'a step in 32 bits': async (parameters) => {
        await startBackend('webgpu');
        step(parameters);
        await startBackend('webgpu', { storage: 'f16' });
      },
      'other parameters are assigned': (parameters) => {
        const other = dictionaryVariables(arrays(2));
        for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const) parameters[name].assign(other[name]);
      },
      'an optimiser of TF.js': (parameters) => {
        const named = Object.fromEntries(
          Object.values(parameters).flatMap((v: Variable | null) => (v ? [[v.name, tf.onesLike(v)]] : [])),
        );
        tf.train.sgd(0.1).applyGradients(named);
      },
      'changed in place on another backend': async (parameters) => {
        await startBackend('cpu');
        for (const name of ['wEnc', 'wDec'] as const) {
          tf.abs(parameters[name]);
          parameters[name].dataSync().fill(0.5, 0, 100);
        }
        await startBackend('webgpu', { storage: 'f16' });
      },
      'cleared in place': (parameters) => backend().clear(parameters.wDec),
    };

    test.each(Object.entries(ways))('%s', async (_, change) => {
      const parameters = dictionaryVariables(arrays(1));
      const input = x();
      const before = forward(fusedKernels(), parameters, input).results;
      expect(forward(afresh(), parameters, input).results).toEqual(before);
      await change(parameters);
      const after = forward(fusedKernels(), parameters, input).results;
      expect(after).not.toEqual(before);
      expect(forward(afresh(), parameters, input).results).toEqual(after);
    });

    test('an update that the device leaves undone leaves the copies as well', () => {
      const parameters = dictionaryVariables(arrays(1));
      const input = x();
      const { made, results } = forward(fusedKernels(), parameters, input);
      const listed = { count: tf.scalar(9, 'int32'), least: 0, most: 8 };
      const wrong = { ...made, main: { ...made.main, entries: { ...made.main.entries, listed } } };
      for (const kernels of [fusedKernels(), afresh()]) {
        kernels.update(wrong, moments(), adam);
        expect(forward(kernels, parameters, input).results).toEqual(results);
      }
    });

    test('a batch less the centre of one dictionary is not that less the centre of another', () => {
      const input = x();
      const [one, other] = [dictionaryVariables(arrays(1)), dictionaryVariables(arrays(2))];
      forward(fusedKernels(), one, input);
      const here = forward(fusedKernels(), other, input).results;
      expect(forward(afresh(), other, input).results).toEqual(here);
    });

    test.each(['topk', 'jumprelu'] as const)(
      '%s: resumed from a checkpoint, a run gives the same bits',
      async (architecture) => {
        const { end } = await trainUntil(architecture, 10);
        const whole = await trainUntil(architecture, 20);
        expect((await trainUntil(architecture, 20, end)).end).toEqual(whole.end);
      },
    );

    test('it goes with its tensor', async () => {
      const used = async () => {
        // Released buffers become free once earlier commands have been submitted.
        tf.tidy(() => tf.neg(tf.ones([4])).dataSync());
        return backend().bufferManager.numBytesUsed;
      };
      await trainUntil('topk', 2);
      const before = await used();
      await trainUntil('topk', 12);
      expect(await used()).toBe(before);
    });
  });

  /**
   * Trains from a state in which few enough latents fire for lists, so that all kinds of copies are read: AuxK has dead latents at most
   * steps of TopK, and two fifths of ReLU's steps and some of JumpReLU's still use matrices.
   */
  async function train(architecture: 'topk' | 'relu' | 'jumprelu' | 'gated' | 'matryoshkatopk') {
    // The default of JumpReLU's bandwidth grows as d shrinks, and a wide one soon lets most latents of a small d fire.
    const narrow = architecture === 'jumprelu' ? { bandwidth: 0.1 } : {};
    const config = { ...smallConfig(architecture), ...narrow, deadAfter: 48 };
    const data = smallSource();
    const state = initialState(config, data);
    for (const { parameters } of state.dictionaries) {
      if (architecture === 'relu') parameters.bEnc.fill(-0.3);
      parameters.logThreshold?.fill(Math.log(0.4));
    }
    data.restore({ seed: 0, epoch: 0, position: 0 });
    const kernels = fusedKernels();
    const seen = { lists: 0, auxiliary: 0 };
    const update: FusedKernels['update'] = (given, ...rest) => {
      if (given.main.entries.kind === 'sparse') seen.lists++;
      if (given.auxiliary) seen.auxiliary++;
      kernels.update(given, ...rest);
    };
    const trainer = new Trainer(config, data, state, { ...kernels, update });
    const losses: number[] = [];
    while (trainer.step < 60) for (const { loss } of await trainer.advance()) losses.push(loss);
    trainer.dispose();
    return { losses, ...seen };
  }

  test.each([
    ['topk', 60, 0.001, 'auto'],
    ['relu', 30, 0.0001, 'auto'],
    ['jumprelu', 48, 0.005, 'auto'],
    // Too many fire at first for lists by themselves.
    ['gated', 60, 0.001, 'sparse'],
    ['matryoshkatopk', 60, 0.001, 'auto'],
  ] as const)(
    '%s: of 60 steps at least %i on lists, the mean loss within %f of that in 32 bits',
    async (architecture, lists, tolerance, path) => {
      // Single steps differ by more, because the choice of latents is discrete and a batch has only 16 rows.
      const mean = (losses: readonly number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      await startBackend('webgpu', { storage: 'f16', path });
      const halves = await train(architecture);
      await startBackend('webgpu', { path });
      const whole = await train(architecture);
      expect(halves.losses).not.toEqual(whole.losses);
      expect(halves.lists).toBeGreaterThanOrEqual(lists);
      if (architecture.endsWith('topk')) expect(halves.auxiliary).toBeGreaterThan(40);
      expect(Math.abs(mean(halves.losses) / mean(whole.losses) - 1)).toBeLessThan(tolerance);
    },
  );

  test('a checkpoint is in 32 bits, and the run goes on from it on another backend', async () => {
    const { end } = await trainUntil('topk', 20);
    const { wDec } = end.dictionaries[0].parameters;
    // These are the thirteen bits of a float that are zero in every number that 16 bits can represent.
    expect(new Uint32Array(wDec.slice().buffer).some((bits) => (bits & 0x1fff) !== 0)).toBe(true);
    const goOn = async () => (await trainUntil('topk', 40, structuredClone(end))).losses;
    const here = await goOn();
    await startBackend('cpu');
    const there = await goOn();
    here.forEach((loss, i) => expect(Math.abs(loss / there[i] - 1)).toBeLessThan(0.05));
  });
});
