import { describe, expect, test } from 'vitest';
import { chanceInWords, mmcsBesideChance, sharedAnswer, sharedHeadlines } from './sharedSummary.ts';

describe('headlines', () => {
  const comparison = (run: string, other: string, a: number, b: number, shared: number) => ({
    version: 1 as const,
    name: `${run}-${a}-${b}`,
    createdAt: '',
    a: { run, seed: a },
    b: { run: other, seed: b },
    architectures: ['topk', 'topk'] as [string, string],
    latents: 64,
    threshold: 0.7,
    shared,
    sharedDecoder: shared,
    sharedEncoder: shared,
    mmcs: 0.6,
    pwMcc: 0.6,
    solver: 'dense',
    gap: 0,
    seconds: 1,
    peakRssMb: 1,
  });

  test('say by chance what random dictionaries reach, where every pair knows it', () => {
    const measured = (mmcs: number) => ({
      ...comparison('topk', 'topk', 0, 1, 0.3),
      chance: {
        isotropic: { mmcs, pwMcc: 0.1, pwMccError: 0, draws: 5, extrapolated: false, shared: 0 },
        beyond: { null: 'isotropic' as const, q: 0.05, p: 0, share: 0 },
      },
    });
    const lineOf = (list: Parameters<typeof sharedHeadlines>[0]) =>
      sharedHeadlines(list).map(mmcsBesideChance);
    expect(lineOf([measured(0.7)])).toEqual(['MMCS 0.60, below chance (0.70)']);
    expect(lineOf([measured(0.2)])).toEqual(['MMCS 0.60, chance 0.20']);
    expect(lineOf([measured(0.2), comparison('topk', 'topk', 0, 2, 0.4)])).toEqual(['MMCS 0.60']);
  });

  test('are one sentence that sets what comes back beside chance', () => {
    const of = (run: string, shared: number, chance?: number) => ({
      ...comparison(run, run, 0, 1, shared),
      ...(chance !== undefined && {
        chance: {
          isotropic: { ...random, shared: 0.9 },
          covariance: { ...random, shared: chance, rows: 10 },
          beyond: { null: 'covariance' as const, q: 0.05, p: 0, share: 0 },
        },
      }),
    });
    const random = { mmcs: 0.1, pwMcc: 0.1, pwMccError: 0, draws: 5, extrapolated: false };
    const answer = (...list: Parameters<typeof sharedHeadlines>[0]) => sharedAnswer(sharedHeadlines(list));
    expect(answer(of('topk', 0.156, 0.001))).toBe(
      '15.6 % of the features come back in another seed; by chance at most 0.1 % would.',
    );
    expect(answer(of('topk', 0.156, 0.001), of('relu', 0.5, 0.002), of('gated', 0.2, 1e-9))).toBe(
      '15.6 % to 50.0 % of the features, depending on the run, come back in another seed; by chance at most 0.2 % would.',
    );
    expect(answer(of('topk', 0.156, 0.001), of('relu', 0.5))).toBe(
      '15.6 % to 50.0 % of the features, depending on the run, come back in another seed.',
    );
    expect(chanceInWords(1e-9)).toBe('< 0.001 %');
  });

  test('average the pairs of a run with itself and leave other comparisons out', () => {
    const [headline, ...rest] = sharedHeadlines([
      comparison('topk', 'topk', 0, 2, 0.4),
      comparison('topk', 'topk', 0, 1, 0.3),
      comparison('topk', 'relu', 0, 0, 0.9),
    ]);
    expect(rest).toEqual([]);
    expect(headline).toMatchObject({ run: 'topk', low: 0.3, high: 0.4 });
    expect(headline?.mean).toBeCloseTo(0.35);
    expect(headline?.pairs.map((pair) => pair.seeds)).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });
});
