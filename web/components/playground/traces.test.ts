import { expect, test } from 'vitest';
import type { DictionaryOnText, TextOnModel } from '../../../server/client.ts';
import { activationsOf, shownIn, sortedTraces } from './traces.ts';

const trace = (latent: number, positions: number[], activations: number[]) => ({
  latent,
  positions,
  activations,
});
const glance = (latent: number, maxActivation: number) => ({
  latent, maxActivation, label: null, density: 0.1, promoted: [], topTokens: [],
}); // prettier-ignore
const dictionary = (seed: number, more: Partial<DictionaryOnText>): DictionaryOnText => ({
  run: 'a', seed, hook: 'blocks.0.hook_resid_post', architecture: 'topk', latents: 8, leftOut: [true, false, false],
  l0: [0, 1, 1], error: [0, 0, 0], strongest: [[], [], []], traces: [], firing: 0, counterparts: null, glances: [], ...more,
}); // prettier-ignore
const first = dictionary(0, {
  traces: [trace(3, [1, 2], [4, 2]), trace(5, [2], [3]), trace(7, [], [])],
  glances: [glance(3, 16), glance(5, 4)],
});
const counterpart = { ...trace(6, [2], [1]), decoderCosine: 0.9, encoderCosine: 0.8, shared: true };
const second = dictionary(1, {
  counterparts: {
    comparison: 'pair',
    rows: [
      { latent: 3, counterpart, both: 1, onlyFirst: 1, onlySecond: 0 },
      { latent: 5, counterpart: null, both: 0, onlyFirst: 1, onlySecond: 0 },
    ],
  },
});
const third = dictionary(2, { traces: [trace(1, [1], [1])] });
const found: TextOnModel = {
  model: 'a model', tokens: [], predictions: [], surprisal: [], dictionaries: [first, second, third], seconds: 0,
}; // prettier-ignore

test('a trace is 0 wherever it does not fire', () => {
  expect(activationsOf(trace(3, [1, 2], [4, 2]), 4)).toEqual([0, 4, 2, 0]);
  expect(activationsOf(null, 2)).toEqual([0, 0]);
});

test('latents are in order of activation, or of how near that is to their largest; silent ones come last', () => {
  expect(sortedTraces(first, 'strongest').map(({ latent }) => latent)).toEqual([3, 5, 7]);
  expect(sortedTraces(first, 'relative').map(({ latent }) => latent)).toEqual([5, 3, 7]);
});

test('each text is shaded by the chosen latent or its counterpart, or says why not', () => {
  const kinds = (chosen: Parameters<typeof shownIn>[2]) =>
    found.dictionaries.map((_, at) => {
      const shown = shownIn(found, at, chosen);
      return shown.kind === 'none' ? shown.why : [shown.kind, shown.trace.latent];
    });
  expect(kinds(undefined)).toEqual([['own', 3], ['counterpart', 6], 'not compared']);
  expect(kinds({ run: 'a', seed: 0, latent: 5 })).toEqual([['own', 5], 'no counterpart', 'not compared']);
  expect(kinds({ run: 'a', seed: 2, latent: 1 })).toEqual([
    'another dictionary',
    'another dictionary',
    ['own', 1],
  ]);
  expect(kinds({ run: 'a', seed: 0, latent: 2 })[0]).toBe('nothing fires');
});
