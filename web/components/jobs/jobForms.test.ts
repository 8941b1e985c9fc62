import { describe, expect, test } from 'vitest';
import type { ChoiceSource } from '../../../sae/spec/jobs/job.ts';
import type { JobKind } from '../../../sae/spec/jobs/jobs.ts';
import { checkConfig } from '../../../sae/training/checkConfig.ts';
import { defaultTrainingConfig } from '../../../sae/training/defaults.ts';
import {
  choicesOf,
  draftJob,
  formOptions,
  isShown,
  partsOption,
  takesSeveral,
  whenEmpty,
  withOnlyChoices,
  withTaken,
} from './jobForms.ts';

describe('a job’s form', () => {
  test('becomes what the server is asked', () => {
    expect(
      draftJob('train', {
        architecture: 'topk',
        capture: 'demo',
        seeds: '0, 1 2',
        width: '4,096',
        k: '32',
        learningRate: '3e-4',
        sparsityCoefficient: '5',
      }),
    ).toEqual({
      input: {
        kind: 'train',
        // The sparsity coefficient is ReLU's: what another choice left in the form is not sent.
        options: {
          architecture: 'topk',
          capture: 'demo',
          seeds: [0, 1, 2],
          width: 4096,
          k: 32,
          learningRate: 0.0003,
        },
      },
    });
  });

  test('says what is missing or wrong, field by field', () => {
    const draft = draftJob('train', { architecture: 'topk', width: 'many', name: '../up', seeds: 'a' });
    expect('errors' in draft && Object.keys(draft.errors).toSorted()).toEqual([
      'capture',
      'name',
      'seeds',
      'width',
    ]);
  });

  test('a comparison may take a limit of memory and be asked of the model', () => {
    const pair = { a: 'topk/0', b: 'topk/1', swap: 'on' };
    expect(draftJob('compare', { ...pair, memory: '2 GB', maxTokens: '8,192' })).toEqual({
      input: {
        kind: 'compare',
        options: {
          a: { run: 'topk', seed: 0 },
          b: { run: 'topk', seed: 1 },
          swap: true,
          memory: '2GB',
          maxTokens: 8192,
        },
      },
    });
    expect(draftJob('compare', { ...pair, memory: 'plenty' })).toMatchObject({
      errors: { memory: expect.stringContaining('2GB') },
    });
  });

  test('will not compare a dictionary with itself', () => {
    expect(draftJob('compare', { a: 'topk/0', b: 'topk/0' })).toMatchObject({
      errors: { b: expect.any(String) },
    });
    expect(draftJob('compare', { a: 'topk/0', b: 'topk/1' })).toEqual({
      input: { kind: 'compare', options: { a: { run: 'topk', seed: 0 }, b: { run: 'topk', seed: 1 } } },
    });
  });

  test('says into how many parts the work of a kind is split that can be', () => {
    const pair = { a: 'topk/0', b: 'topk/1' };
    expect(draftJob('compare', { ...pair, parts: '4' })).toMatchObject({
      input: { parts: 4, options: { a: { run: 'topk' } } },
    });
    expect(draftJob('compare', { ...pair, parts: '1' })).toMatchObject({
      errors: { parts: expect.stringContaining('2') },
    });
    expect(draftJob('evaluate', { run: 'topk', parts: '4' })).toEqual({
      input: { kind: 'evaluate', options: { run: 'topk' } },
    });
    expect(partsOption('train')).toBe(undefined);
    expect(partsOption('index')?.form.label).toBe('Parts');
  });

  test('says in empty fields what happens by default', () => {
    const empty = (kind: JobKind, name: string, values = {}) => whenEmpty(optionOf(kind, name), values);
    expect(empty('capture', 'contextLength')).toBe('128');
    expect(empty('capture', 'dtype')).toBe('float16');
    expect(empty('map', 'points')).toBe('131,072');
    expect(empty('compare', 'threshold')).toBe('0.7');
    expect(empty('compare', 'memory')).toBe('no limit');
    // λ's default is another one for each architecture that has it; none is said before one is chosen.
    expect(empty('train', 'sparsityCoefficient', { architecture: 'relu' })).toBe('0.8');
    expect(empty('train', 'sparsityCoefficient', { architecture: 'jumprelu' })).toBe('4');
    expect(empty('train', 'learningRate')).toBe(undefined);
    expect(empty('evaluate', 'run')).toBe(undefined);
  });

  test('trains a transcoder where an output hook point is chosen, and refuses what the command refuses', () => {
    const autoencoder = { architecture: 'topk', capture: 'sea', hook: 'blocks.0.hook_resid_mid' };
    const transcoder = { ...autoencoder, outputHook: 'blocks.0.hook_mlp_out', skip: 'on' };
    expect(draftJob('train', transcoder)).toEqual({
      input: { kind: 'train', options: { ...autoencoder, outputHook: 'blocks.0.hook_mlp_out', skip: true } },
    });
    // The box for a skip connection isn't there without an output.
    expect(draftJob('train', { ...autoencoder, skip: 'on' })).toEqual({
      input: { kind: 'train', options: autoencoder },
    });
    const usual = defaultTrainingConfig('topk', { capture: 'sea', hook: 'h', d: 8, tokens: 1_000 });
    const configured = (change: object) => checkConfig({ ...usual, ...transcoder, skip: true, ...change });
    expect(configured({})).toMatchObject({ outputHook: 'blocks.0.hook_mlp_out' });
    for (const [change, why] of [
      [{ outputHook: autoencoder.hook }, /same twice/],
      [{ hook: 'blocks.0.hook_resid_mid,blocks.1.hook_resid_mid' }, /crosscoder/],
      [{ biasStart: 'zero' }, /Decoder bias begins as/],
    ] as const) {
      expect(draftJob('train', { ...transcoder, ...change })).toEqual({
        errors: { outputHook: expect.stringMatching(why) },
      });
      expect(() => configured(change)).toThrow('The training configuration is wrong');
    }
  });

  test('shows the settings of the architecture that was chosen', () => {
    const shown = (architecture: string) =>
      formOptions('train')
        .filter((one) => one.form.when && isShown(one, { architecture }))
        .map(({ name }) => name)
        .toSorted();
    expect(shown('topk')).toEqual(['k']);
    expect(shown('relu')).toEqual(['sparsityCoefficient', 'targetL0']);
    expect(shown('jumprelu')).toEqual(['sparsityCoefficient', 'targetL0']);
    expect(shown('')).toEqual([]);
  });

  test('offers what the store has, and takes the only one there is where one is needed', () => {
    const offered = {
      models: [],
      datasets: [{ value: 'dataset:mine', name: 'mine (fetched)' }],
      modelHooks: [],
      captures: [],
      captureHooks: [],
      outputHooks: [],
      dictionaries: [],
      comparisons: [],
      imports: [],
      runs: [{ value: 'only', name: 'only' }],
    } satisfies Record<ChoiceSource, unknown>;
    expect(withOnlyChoices(formOptions('evaluate'), {}, offered)).toEqual({ run: 'only' });
    // Emptied by hand, it stays empty.
    expect(withOnlyChoices(formOptions('evaluate'), { run: '' }, offered)).toEqual({ run: '' });
    expect(choicesOf(optionOf('sparsity', 'text'), offered)).toEqual(offered.datasets);
    expect(choicesOf(optionOf('evaluate', 'maxTokens'), offered)).toBe(undefined);
    // What has not been answered yet is not said to be missing.
    expect(choicesOf(optionOf('sparsity', 'text'), { ...offered, datasets: undefined })).toBe(undefined);
  });

  test('several hook points are taken in the order of the capture, or in that in which they are chosen', () => {
    const choices = ['a', 'b', 'c'].map((value) => ({ value, name: value }));
    expect(takesSeveral(optionOf('train', 'hook'), choices)).toBe(true);
    expect(takesSeveral(optionOf('train', 'hook'), choices.slice(0, 1))).toBe(false);
    expect(takesSeveral(optionOf('train', 'capture'), choices)).toBe(false);
    const inOrder = { order: 'in order', choices } as const;
    expect(withTaken('c', 'a', inOrder)).toBe('a,c');
    expect(withTaken('a,c', 'a', inOrder)).toBe('c');
    expect(withTaken('typed', 'b', inOrder)).toBe('b,typed');
    expect(withTaken('c', 'a', { order: 'as taken', choices })).toBe('c,a');
    const draft = draftJob('train', { architecture: 'topk', capture: 'x', hook: 'a,c' });
    expect(draft).toMatchObject({ input: { options: { hook: 'a,c' } } });
  });
});

function optionOf(kind: JobKind, name: string) {
  const found = formOptions(kind).find((one) => one.name === name);
  if (!found) throw new Error(`${kind} has no ${name}`);
  return found;
}
