import { describe, expect, test } from 'vitest';
import { jumpTargets } from './jumpTargets.ts';

describe('the jump box', () => {
  const sources = {
    runs: [0, 1].flatMap((seed) => ['topk-32', 'relu'].map((name) => ({ name, seed, architecture: 'x' }))),
    comparisons: [{ name: 'topk-32-0-1' }],
    reports: [{ name: 'demo-gelu', model: 'demo-gelu' }],
    labels: [{ run: 'relu', seed: 0, latent: 9, label: 'whales' }],
  };
  const first = (query: string) => jumpTargets(query, sources)[0]?.href;

  test.each([
    ['topk 1 17', '/runs/topk-32/1/17'],
    ['topk/1/17', '/runs/topk-32/1/17'],
    ['relu 1', '/runs/relu/1'],
    ['whal', '/runs/relu/0/9'],
    ['gelu', '/lazy#demo-gelu'],
    ['jobs', '/jobs'],
  ])('%s leads to %s', (query, href) => expect(first(query)).toBe(href));

  test('what nothing is called can still be searched for', () =>
    expect(jumpTargets('  the zzz ', sources)).toEqual([
      { href: '/search?text=the+zzz', title: 'Search for “the zzz” in all examples', kind: 'search' },
    ]));

  test('features that were found come after what is called so, each once', () => {
    const found = [
      { run: 'relu', seed: 0, latent: 9, label: 'whales', why: 'in its label' },
      { run: 'relu', seed: 1, latent: 4, label: null, why: '3 examples' },
    ];
    expect(jumpTargets('whales', { ...sources, found }).map(({ title }) => title)).toEqual([
      'whales (relu / 0 / 9)',
      'relu / seed 1 / latent 4: 3 examples',
      'Search for “whales” in all examples',
    ]);
    expect(jumpTargets('', { ...sources, found }).map(({ kind }) => kind)).not.toContain('search');
  });
});
