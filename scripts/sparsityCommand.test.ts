/** `lazyscope sparsity` and what feeds it, as a person meets them: a small model trained, measured, compared and altered. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { InterventionReport } from '../sae/sparsity/masking/measureInterventions.ts';
import type { SparsityReport } from '../sae/spec/manifests/sparsityReport.ts';

vi.setConfig({ testTimeout: 180_000 });
const script = join(import.meta.dirname, 'lazyscope.mjs');
const fixtures = join(import.meta.dirname, '../sae/models/fixtures');
const data = mkdtempSync(join(tmpdir(), 'lazyscope-sparsity-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

function lazyscope(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, ...args, '--data', data, '--json'],
    {
      encoding: 'utf8',
      timeout: 170_000,
    },
  );
  return { status, stderr, document: status === 0 ? (JSON.parse(stdout) as unknown) : undefined };
}
const text = ['--text', join(fixtures, '../../tokens/fixtures/text.txt')];
const measure = (...args: string[]) =>
  lazyscope(
    'sparsity',
    ...text,
    '--max-tokens=1024',
    '--intervention-tokens=128',
    '--context-length=16',
    ...args,
  );

type Document = Omit<SparsityReport, 'layers' | 'interventions'> &
  Pick<InterventionReport, 'pplP' | 'tradeoff' | 'robustness' | 'perplexity'> & {
    layers: (Omit<SparsityReport['layers'][number], 'ratioAt'> & {
      ratioAt: Record<string, number>;
      cettAtRatio: Record<string, number>;
    })[];
    predictionDifference?: { model: string; totalVariation: number };
  };

test('a model whose name has spaces, as GGUF files say them, gives its report a name that a folder may have', () => {
  const gguf = join(fixtures, '../gguf/fixtures/gpt2.gguf');
  const { status, stderr } = measure('--model', gguf, '--no-interventions');
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(existsSync(join(data, 'sparsity', 'Tiny-gpt2', 'report.json'))).toBe(true);
});

test('one document: layers, PPL-p % and the trade-off, with thresholds and shares as keys', () => {
  const { status, stderr, document } = measure('--model', join(fixtures, 'tinyGpt2'), '--name=tiny');
  expect(stderr.split('\n').filter((line) => line.startsWith('lazyscope:'))).toEqual([]);
  expect(status).toBe(0);
  const { layers, pplP, tradeoff, robustness, perplexity } = document as Document;
  expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
  for (const { activationRatio, ratioAt, deadRate, cettAtRatio } of layers) {
    expect(activationRatio).toBeGreaterThan(0.9);
    expect(Object.keys(ratioAt)).toEqual(['1', '0.0001', '0.001', '0.01', '0.1']);
    expect(ratioAt['0.1']).toBeLessThan(ratioAt['0.001']);
    expect(deadRate).toBe(0);
    expect(cettAtRatio['0.5']).toBeLessThan(cettAtRatio['0.25']);
  }
  expect(pplP.map(({ p }) => p)).toEqual([0.1, 1, 5, 10]);
  for (const { p, perplexity: cost, ratio } of pplP) {
    expect(cost).toBeLessThanOrEqual(perplexity * (1 + p / 100));
    expect(ratio).toBeGreaterThan(0);
  }
  expect(new Set(tradeoff.map(({ method }) => method)).size).toBe(10);
  expect(robustness.some(({ noise }) => noise === 0.2)).toBe(true);
  expect(existsSync(join(data, 'sparsity', 'tiny', 'report.json'))).toBe(true);
});

test('a gated form is trained by its name, its emergence is written down, and another seed predicts otherwise', () => {
  const train = (name: string, ...more: string[]) =>
    lazyscope(
      'lm', 'train', ...text, '--name', name, '--activation=reglu2', '--vocabulary=280', '--d=16', '--layers=1',
      '--heads=2', '--neurons=24', '--context-length=16', '--batch-size=4', '--steps=8', '--validation-fraction=0.05',
      ...more,
    ); // prettier-ignore
  expect(train('a', '--emergence=3').status).toBe(0);
  expect(train('b', '--seed=1', '--initialisation=lsuv', '--l1-coefficient=0.1').status).toBe(0);
  const config = JSON.parse(readFileSync(join(data, 'models/a/config.json'), 'utf8')) as object;
  expect(config).toMatchObject({ model_type: 'llama', hidden_act: 'relu2' });
  const { observations } = JSON.parse(readFileSync(join(data, 'models/a/training.json'), 'utf8')) as {
    observations: { step: number }[];
  };
  expect(observations.map(({ step }) => step)).toEqual([0, 1, 3, 8]);
  const { document } = measure('--model=a', '--against=b', '--no-interventions');
  const { predictionDifference, pplP } = document as Document;
  expect(predictionDifference?.model).toBe('b');
  expect(predictionDifference?.totalVariation).toBeGreaterThan(0);
  expect(pplP).toBeUndefined();

  const replaced = measure('--model=a', '--replace-activation=relu', '--no-interventions');
  expect((replaced.document as Document).model).toMatchObject({
    activation: 'relu',
    trainedActivation: 'relu2',
  });
  expect((replaced.document as Document).name).toBe('a-as-relu');
});

test('an activation function that is none is refused in one line that lists those there are', () => {
  const { status, stderr } = measure('--model', join(fixtures, 'tinyGpt2'), '--replace-activation=relux');
  expect(status).toBe(2);
  expect(stderr.trim()).toMatch(
    /^lazyscope: Activation function 'relux' is not known: use one of relu, .*snake/,
  );
});
