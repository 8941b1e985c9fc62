import { describe, expect, test } from 'vitest';
import { draftJob } from './jobForms.ts';

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
});
