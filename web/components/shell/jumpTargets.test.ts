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

  test('finds nothing rather than anything', () => expect(jumpTargets('zzz', sources)).toEqual([]));
});
