import { describe, expect, test } from 'vitest';
import { bandName } from './bandName.ts';
import { featureQuery, featureTableDefaults } from './featureQuery.ts';
import { sharedHeadlines } from './headlines.ts';
import { draftJob } from './jobForms.ts';
import { jumpTargets } from './jumpTargets.ts';
import { compact, count, figures, fixed, percent, signed, significant } from './number.ts';
import { paths } from './paths.ts';
import { ago, duration } from './time.ts';
import { lineBreaks, runningPieces, tokenPieces, visibleToken } from './tokenText.ts';
import { wholeNumber } from './wholeNumber.ts';

describe('numbers', () => {
  test.each([
    [count(12_288), '12,288'],
    [count(null), '–'],
    [compact(1_234), '1.23k'],
    [compact(51_200), '51.2k'],
    [compact(3e6), '3M'],
    [compact(100), '100'],
    [percent(0.314), '31.4 %'],
    [percent(0.00031), '0.031 %'],
    [percent(0), '0.0 %'],
    [percent(1, 0), '100 %'],
    [percent(Number.NaN), '–'],
    [fixed(0.1839), '0.184'],
    [fixed(-0.5, 2), '−0.50'],
    [significant(32.04), '32'],
    [significant(0.01234), '0.0123'],
    [significant(0.00000314), '3.14e−6'],
    [significant(1e-8, 4), '1e−8'],
    [significant(0), '0'],
    [significant(1200), '1200'],
    [figures(13), '13.0'],
    [figures(9.4), '9.40'],
    [figures(0), '0'],
    [signed(0.421), '+0.42'],
    [signed(-1.3, 1), '−1.3'],
  ])('%s', (given, wanted) => expect(given).toBe(wanted));
});

describe('times', () => {
  const now = new Date('2026-06-15T12:00:00Z');
  test.each([
    [duration(4.21), '4.2 s'],
    [duration(0.004), '< 0.1 s'],
    [duration(59.7), '1 min'],
    [duration(200), '3 min 20 s'],
    [duration(7500), '2 h 5 min'],
    [duration(null), '–'],
    [ago('2026-06-15T11:59:40Z', now), 'just now'],
    [ago('2026-06-15T11:20:00Z', now), '40 min ago'],
    [ago('2026-06-14T11:20:00Z', now), 'yesterday'],
    [ago('2026-05-01T00:00:00Z', now), '2026-05-01'],
  ])('%s', (given, wanted) => expect(given).toBe(wanted));
});

describe('tokens', () => {
  test('whitespace is visible, and apart from the letters', () => {
    expect(tokenPieces(' the')).toEqual([
      { text: '·', kind: 'mark' },
      { text: 'the', kind: 'text' },
    ]);
    expect(visibleToken('\n\n')).toBe('↵↵');
    expect(visibleToken('\ta')).toBe('→a');
    expect(visibleToken('')).toBe('∅');
  });

  test('spaces of running text are spaces, so that lines break between words; line ends stay visible', () => {
    expect(runningPieces(' the')).toEqual([
      { text: ' ', kind: 'text' },
      { text: 'the', kind: 'text' },
    ]);
    expect(runningPieces('.\n')).toEqual([
      { text: '.', kind: 'text' },
      { text: '↵', kind: 'mark' },
    ]);
    expect(runningPieces('<|endoftext|>')).toEqual([{ text: '<|endoftext|>', kind: 'mark' }]);
    // A dot of the text itself is no space.
    expect(runningPieces('a·b')).toEqual([{ text: 'a·b', kind: 'text' }]);
  });

  test('control characters are bytes, not empty boxes', () => {
    expect(visibleToken('\u0005')).toBe('\\x05');
    expect(visibleToken('\u0093')).toBe('\\x93');
  });

  test('letters outside the basic plane stay whole', () => {
    expect(tokenPieces('𝛼')).toEqual([{ text: '𝛼', kind: 'text' }]);
  });

  test('lines break where the text did, and empty lines take no room', () => {
    expect(lineBreaks(['\n', '\n', 'a', '.\n', '\n', 'b'])).toEqual([
      false,
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(lineBreaks(['a', '\n', '\n', 'b'])).toEqual([false, true, false, false]);
  });

  test('bands of examples are fifths of the range', () => {
    expect(['top', 'quantile-0', 'quantile-4'].map(bandName)).toEqual(['Top', '0–20 %', '80–100 %']);
  });
});

describe('addresses', () => {
  test('names with signs survive', () => {
    expect(paths.feature('a b/c', 0, 7)).toBe('/runs/a%20b%2Fc/0/7');
  });
  test.each([
    ['7', 7],
    ['007', 7],
    ['-1', undefined],
    ['1.5', undefined],
    ['9e9', undefined],
    [undefined, undefined],
  ])('the number in an address: %s', (text, number) => expect(wholeNumber(text)).toBe(number));
});

describe('the feature table’s question', () => {
  const ask = (changes: Partial<typeof featureTableDefaults>) =>
    featureQuery('topk', 1, { ...featureTableDefaults, ...changes });

  test('asks for live latents, strongest first', () => {
    expect(ask({})).toEqual({
      run: 'topk',
      seed: 1,
      sort: 'maxActivation',
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

  test('#12 is a latent, alive or dead; 12 is a token', () => {
    expect(ask({ token: '#12' }).filter).toEqual({ latent: 12 });
    expect(ask({ token: '12' }).filter).toEqual({ dead: false, token: '12' });
  });

  test('orphans are shared in no other seed', () => {
    expect(ask({ stability: 'orphan' }).filter).toEqual({ dead: false, maxStability: 0 });
  });
});

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
