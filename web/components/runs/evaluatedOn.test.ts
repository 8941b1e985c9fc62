import { expect, test } from 'vitest';
import type { RunDetail } from '../../../server/client.ts';
import { evaluatedOn } from './evaluatedOn.ts';

const detail = (manifest: object, ...evaluations: (object | null)[]) =>
  ({
    manifest,
    seeds: evaluations.map((evaluation, seed) => ({ seed, evaluation, indexed: false })),
  }) as Pick<RunDetail, 'manifest' | 'seeds'>;

test.each([
  [detail({}, null), 'Not evaluated yet.'],
  [
    detail({ exclusion: { rule: 'norm:10', rows: 1234 } }, null),
    'Not evaluated yet. Training left out 1,234 rows (norm:10).',
  ],
  [detail({}, { tokens: 19_812 }), 'On 19,812 held-out tokens.'],
  [
    detail(
      {},
      { tokens: 19_808, exclusion: { rule: 'norm:10', rows: 4, fvuWithThem: 0.1184 } },
      { tokens: 19_808, exclusion: { rule: 'norm:10', rows: 4, fvuWithThem: null } },
    ),
    'On 19,808 held-out tokens, without 4 rows (norm:10); FVU with them: 0.118, –. Losses are of all tokens.',
  ],
])('a run says which tokens its figures are about', (given, wanted) =>
  expect(evaluatedOn(given)).toBe(wanted),
);

test.each([
  ['damaged', 'The evaluation is damaged: evaluate again.'],
  ['newer', 'The evaluation is of a newer Lazyscope.'],
] as const)('an evaluation that is %s is not said to be missing', (evaluationFault, wanted) => {
  const run = detail({}, null);
  const seeds = run.seeds.map((seed) => ({ ...seed, evaluationFault }));
  expect(evaluatedOn({ ...run, seeds })).toBe(wanted);
});
