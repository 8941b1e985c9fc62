import { describe, expect, test } from 'vitest';
import { featureQuery, featureTableDefaults } from './featureQuery.ts';

describe('the feature table’s question', () => {
  const ask = (changes: Partial<typeof featureTableDefaults>) =>
    featureQuery('topk', 1, { ...featureTableDefaults, ...changes });

  test('asks for live latents, strongest first', () => {
    expect(ask({})).toEqual({
      run: 'topk',
      seed: 1,
      sort: 'stability',
      order: 'desc',
      offset: 0,
      limit: 50,
      filter: { dead: false },
    });
  });

  test('takes percentages for densities, with a comma too', () => {
    expect(ask({ least: '0,5', most: '10' }).filter).toMatchObject({ minDensity: 0.005, maxDensity: 0.1 });
  });

  test('an address that makes no sense still opens', () => {
    expect(ask({ sort: 'nonsense', order: 'up', offset: '-3', least: 'x', most: '500' })).toEqual(ask({}));
  });

  test('#12 is a latent, alive or dead; 12 is text', () => {
    expect(ask({ token: '#12' }).filter).toEqual({ latent: 12 });
    expect(ask({ token: '12' }).filter).toEqual({ dead: false, text: '12' });
  });

  test('latents encircled on a map are kept with the other filters', () => {
    expect(ask({ latents: '1.5.10' }).filter).toEqual({ dead: false, latents: [0, 5, 41] });
    expect(ask({ latents: 'no list' }).filter).toEqual({ dead: false });
  });

  test('orphans are shared in no other seed', () => {
    expect(ask({ stability: 'orphan' }).filter).toEqual({ dead: false, maxStability: 0 });
  });
});
