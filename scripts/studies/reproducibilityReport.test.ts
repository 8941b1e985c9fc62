import { expect, test } from 'vitest';
import { reproducibilityPlots } from './reproducibilityPlots.ts';
import { reproducibilityTables } from './reproducibilityReport.ts';
import type { ReproducibilityRow } from './reproducibilityRow.ts';

const spread = (mean: number) => ({ mean, low: mean / 2, high: 2 * mean });
function row(own: Partial<ReproducibilityRow>): ReproducibilityRow {
  return {
    run: 'a',
    text: 'dataset:moby-dick',
    hook: 'blocks.15.hook_resid_post',
    architecture: 'topk',
    width: 2304,
    tokens: 600_000,
    sparsity: 32,
    seeds: 3,
    evaluated: 8192,
    predicted: 512,
    l0: spread(32),
    fvu: spread(0.2),
    ceRecovered: spread(0.97),
    dead: spread(0.001),
    shared: { ...spread(0.125), chance: 0.000_001 },
    curve: [0, 0.5, 0.7, 1].map((threshold) => ({ threshold, shared: 0.5 * (1 - threshold) })),
    decoderAlone: spread(0.3),
    encoderAlone: spread(0.2),
    mmcs: { ...spread(0.5), chance: 0.45, rotated: 0.4 },
    pwMcc: { ...spread(0.48), chance: 0.44 },
    beyond: spread(0.33),
    reproducibility: {
      histogram: [1700, 500, 104],
      every: { share: 0.045, low: 0.04, high: 0.05, chance: 0 },
      any: { share: 0.262, chance: 0.0123 },
      mean: { share: 0.15, chance: 0.004 },
      beyond: { share: 0.11, q: 0.05, p: 0.001 },
      learning: {
        points: [
          { seeds: 2, observed: 0.15, fitted: 0.15 },
          { seeds: 3, observed: 0.045, fitted: 0.045 },
          { seeds: 4, observed: null, fitted: 0.02 },
        ],
        law: { a: 0.25, b: 1.5 },
        enough: 5,
      },
      null: 'covariance',
      subspaces: null,
    },
    ...own,
  };
}

test('tables have every figure with its range and its chance, and say so where there is none', () => {
  const text = reproducibilityTables([row({})]);
  expect(text).toContain(
    '| moby-dick | 15 | TopK | 2,304 | 600,000 | 32 | 12.5 % (6.3–25.0) | < 0.001 % | 30.0 % | 20.0 % | 0.500 | 0.450 | 0.400 | 0.480 | 0.440 | 33.0 % (16.5–66.0) |',
  );
  expect(text).toContain('| 4.5 % (4.0–5.0) | < 0.001 % | 26.2 % | 1.2 % | 15.0 % | 0.4 % | 11.0 % |');
  expect(text).toContain('| 15.0 % | 4.5 % | Beta(0.250, 1.500) | 5 |');
  expect(reproducibilityTables([row({ mmcs: { ...spread(0.5), chance: 0.45, rotated: null } })])).toContain(
    '| 0.500 | 0.450 | – |',
  );
});

test('a plot varies one thing alone, and is left out where nothing varies', () => {
  const plots = new Map(
    reproducibilityPlots([
      row({}),
      row({ run: 'deep', hook: 'blocks.22.hook_resid_post' }),
      row({ run: 'deep and wide', hook: 'blocks.22.hook_resid_post', width: 4608 }),
      row({ run: 'other text', text: 'dataset:sotu', hook: 'blocks.3.hook_resid_post' }),
    ]),
  );
  expect([...plots.keys()]).toEqual(['thresholds', 'depth', 'seeds']);
  // One run of the place where the others are not: four thresholds, one of them below the foot of the axis.
  expect(plots.get('thresholds')?.match(/<circle/g)).toHaveLength(4);
  expect(plots.get('depth')?.match(/<circle/g)).toHaveLength(2);
  // Two and three seeds were seen; four are a guess of the law.
  expect(plots.get('seeds')?.match(/<circle/g)).toHaveLength(2);
});
