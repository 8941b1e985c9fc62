import { expect, test } from 'vitest';
import { parseSweep } from './sweep.ts';

const base = `
capture: demo
tokens: 100000
hooks: [blocks.0.hook_resid_post, blocks.1.hook_resid_post]
seeds: [0, 1]
`;

test('every combination is a run, seeds stay together', () => {
  const runs = parseSweep(`${base}
name: all
architectures: [topk, relu]
widths: [512, 1024]
k: [16, 32]
sparsityCoefficients: [3]
settings: { learningRate: 1e-3 }
`);
  expect(runs).toHaveLength(2 * 2 * 2 + 2 * 2);
  expect(new Set(runs.map((run) => run.name)).size).toBe(12);
  expect(runs[0]).toEqual({
    name: 'all-topk-blocks.0.hook_resid_post-512-k16',
    architecture: 'topk',
    options: {
      capture: 'demo', tokens: 100_000, hook: 'blocks.0.hook_resid_post', seeds: [0, 1], width: 512, learningRate: 1e-3, k: 16,
    },
  }); // prettier-ignore
});

test('ways to begin and lengths are combined too, and are in the names where they are lists', () => {
  const runs = parseSweep(`${base.replace('tokens: 100000', 'tokens: [1000, 2000]')}
name: s
architectures: [relu]
sparsityCoefficients: [3]
decoderStarts: [random, pca]
rowOrders: [0, 4]
`);
  expect(runs).toHaveLength(2 * 2 * 2 * 2);
  expect(runs[3]).toMatchObject({
    name: 's-relu-blocks.0.hook_resid_post-l3-t1000-dec-pca-order4',
    options: { tokens: 1000, decoderStart: 'pca', rowOrder: 4 },
  });
  expect(runs[3].options).not.toHaveProperty('biasStart');
  expect(() => parseSweep(`${base}architectures: [relu]\nbiasStarts: [median, mode]\n`)).toThrow(
    /biasStarts\.1/,
  );
});

test('a sweep without what every sweep has is told what to add', () => {
  expect(() => parseSweep('architectures: [relu]\ntokens: 5\nhooks: [blocks.0.hook_resid_post]\n')).toThrow(
    "The sweep has no 'capture', and needs one: add it (README.md has a sweep).",
  );
});

test('JumpReLU takes a target, or λ where there is none', () => {
  const target = parseSweep(`${base}architectures: [jumprelu]\ntargetL0: [32]\nsparsityCoefficients: [1]\n`);
  expect(target[0].options).toMatchObject({ targetL0: 32 });
  expect(target[0].options).not.toHaveProperty('sparsityCoefficient');
  const lambda = parseSweep(`${base}architectures: [jumprelu]\nsparsityCoefficients: [1]\n`);
  expect(lambda[0].options).toMatchObject({ sparsityCoefficient: 1 });
});

test.each([
  ['architectures: [sparse]', /architectures\.0/],
  ['architectures: [relu]\nk: [32]', /'k'.*only topk/],
  ['architectures: [topk]\nk: 32', /'k'/],
  ['architectures: [topk]\nwidth: [32]', /width/],
  ['architectures: [topk]\nk: [8, 8]', /twice/],
  ['architectures: [topk]\nname: ../x', /can't name/],
  ['architectures: [topk', /not YAML/],
  ['architectures: [topk]\nsettings: { batch: 3 }', /settings/],
])('%j is refused with the reason', (text, why) => {
  expect(() => parseSweep(`${base}${text}\n`)).toThrow(why);
});

test('a sweep of thousands of mistakes is refused by the first one, without quoting the line of each', () => {
  const began = process.cpuUsage();
  expect(() => parseSweep(`${base}${'&a '.repeat(20_000)}`)).toThrow(
    /^The sweep is not YAML: A node can have at most one anchor at line \d+, column \d+$/,
  );
  expect(process.cpuUsage(began).user / 1000).toBeLessThan(2_000);
});
