/**
 * What a writer writes its reader reads. The documents are those of a real store; each of their numbers is in turn replaced by one
 * that arithmetic can come to, and the writer either refuses it by name or writes what is read back.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { captureKind } from '../spec/manifests/capture.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import { corpusKind } from '../spec/manifests/corpus.ts';
import { evaluationKind } from '../spec/manifests/evaluation.ts';
import type { ManifestKind, RawDocument } from '../spec/manifests/manifestKind.ts';
import { matchingsKind } from '../spec/manifests/matchings.ts';
import { probesKind } from '../spec/manifests/probes.ts';
import { publishedLabelsKind } from '../spec/manifests/publishedLabels.ts';
import { reproducibilityKind, type Reproducibility } from '../spec/manifests/reproducibility.ts';
import { runKind, type RunManifest } from '../spec/manifests/run.ts';
import { sparsityReportKind } from '../spec/manifests/sparsityReport.ts';
import { storeListingKind } from '../spec/manifests/storeListing.ts';
import { trainingRecordKind } from '../spec/manifests/trainingRecord.ts';
import { spacesKind } from '../spec/manifests/spaces.ts';
import { stabilitySweepKind } from '../spec/manifests/stabilitySweep.ts';
import { matchings, probes, publishedLabels, spaces, stabilitySweep, storeListing } from './fixtures/laterDocuments.ts'; // prettier-ignore
import { readManifest } from './readManifest.ts';
import { writeManifest } from './writeManifest.ts';

const past = join(import.meta.dirname, 'fixtures/store-v1');
const example = (path: string) => JSON.parse(readFileSync(join(past, path), 'utf8')) as { version: number };
const kinds: [ManifestKind<{ version: number }>, { version: number }][] = (
  [
    [captureKind, 'captures/letters/capture.json'],
    [runKind, 'runs/jumprelu/run.json'],
    [evaluationKind, 'runs/topk/seed-0/evaluation.json'],
    [comparisonKind, 'comparisons/topk-0-1/comparison.json'],
    [sparsityReportKind, 'sparsity/tiny/report.json'],
    [corpusKind, 'corpora/text.txt-280/corpus.json'],
    [trainingRecordKind, 'models/tiny/training.json'],
  ] as const
).map(([kind, path]) => [kind as unknown as ManifestKind<{ version: number }>, example(path)]);

const change = (value: number) => ({
  change: value,
  interval: [value / 2, 2 * value] as [number, number],
  control: value / 3,
  least: value / 4,
  most: value,
});
/** Stores of the first version have none. */
const reproducibility: Reproducibility = {
  version: 1,
  run: 'topk',
  createdAt: '2026-01-02T03:04:05.000Z',
  seeds: [0, 1],
  latents: 64,
  threshold: 0.7,
  comparisons: [{ name: 'topk-0-1', createdAt: '2026-01-02T03:04:05.000Z' }],
  histogram: [40, 24],
  every: { share: 0.375, low: 0.3, high: 0.45, chance: 0.01 },
  any: { share: 0.375, chance: 0.01 },
  mean: { share: 0.375, chance: 0.01 },
  bySeed: [{ seed: 0, every: 0.375, any: 0.375, mean: 0.375 }],
  beyond: { share: 0.35, q: 0.05, p: 0.02 },
  null: 'covariance',
  learning: {
    points: [{ seeds: 2, observed: 0.375, fitted: 0.37 }],
    law: { a: 0.5, b: 0.8 },
    enough: 5,
  },
  controls: {
    explained: 0.1,
    pairs: 8,
    differences: [{ property: 'density', stable: 0.02, control: 0.01, low: 0.005, high: 0.015 }],
  },
  worth: {
    tokens: 1000,
    lossTokens: 400,
    draws: 19,
    coverage: 0.9,
    whole: { fvu: 0.1, fvuWithout: 1.2, crossEntropy: 3.5, crossEntropyChange: 2, divergence: 1.9 },
    groups: [
      {
        latents: 6.5,
        stability: 0.5,
        density: 0.01,
        ablated: { fvu: change(0.01), crossEntropy: change(0.02), divergence: change(0.03) },
        kept: { fvu: change(0.9), crossEntropy: change(1.5), divergence: change(1.4) },
      },
    ],
    attribution: { latents: 96, pearson: 0.9, spearman: null },
    seconds: 100,
  },
  subspaces: {
    null: 'covariance',
    seeds: [{ seed: 0, latents: 40, participationRatio: 8.5, entropyRank: 9.5 }],
    rank: 8,
    affinity: { seeds: 0.5, chance: 0.3, random: 0.2, components: 0.4 },
    cosines: [1, 0.5],
    cosinesByChance: [0.9, 0.1],
    found: { share: 0.4, inside: 0.5, insideByChance: 0.3, q: 0.05, p: 0.02 },
    clusters: {
      latents: 80,
      count: 9,
      excessByChance: 0.2,
      found: 2,
      latentsFound: 30,
      largest: [{ latents: 20, bySeed: [9, 11], rank: 4.5, share: 0.8, chance: 0.2, found: true }],
    },
  },
  seconds: 1.5,
};
for (const [kind, document] of [
  [reproducibilityKind, reproducibility],
  [matchingsKind, matchings],
  [probesKind, probes],
  [spacesKind, spaces],
  [stabilitySweepKind, stabilitySweep],
  [publishedLabelsKind, publishedLabels],
  [storeListingKind, storeListing],
] as const)
  kinds.push([kind as unknown as ManifestKind<{ version: number }>, document]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-manifests-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Places of numbers in a document; of a list of alike things the first is enough. */
function numbersIn(value: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (typeof value === 'number') return [at];
  if (Array.isArray(value)) return value.slice(0, 1).flatMap((each, i) => numbersIn(each, [...at, i]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => numbersIn(each, [...at, key]));
}

function withNumber<T>(document: T, [...path]: (string | number)[], number: number | null): T {
  const copy = structuredClone(document);
  const last = path.pop()!;
  let at: unknown = copy;
  for (const key of path) at = (at as Record<string | number, unknown>)[key];
  (at as Record<string | number, unknown>)[last] = number;
  return copy;
}

describe.each(kinds)('$name', (kind, document) => {
  const path = () => join(folder, 'document.json');

  test('every number it can hold is read back, and the others are refused by name', async () => {
    const places = numbersIn(document);
    expect(places.length).toBeGreaterThan(1);
    let refused = 0;
    for (const place of places)
      for (const number of [0 / 0, 1 / 0, -1 / 0, -0, 1e308, 5e-324, -1, 2 ** 53]) {
        await rm(path(), { force: true });
        const value = withNumber(document, place, number);
        const error = await writeManifest(path(), kind, value).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error === undefined) {
          expect(Number.isFinite(number), place.join('.')).toBe(true);
          // JSON has no −0; it comes back as 0, which equals it.
          const sent = Object.is(number, -0) ? withNumber(document, place, 0) : value;
          expect(await readManifest(path(), kind)).toEqual(sent);
        } else {
          refused++;
          expect(error).toMatchObject({ name: 'LazyscopeError', code: 'bad_input' });
          const named = /'([^']*)' can't be/.exec((error as Error).message)?.[1] ?? '';
          // A value inside an observation, whose fields are its observer's, is named by the observation's own field.
          expect(place.join('.').startsWith(named) && named !== '', (error as Error).message).toBe(true);
          expect(existsSync(path())).toBe(false);
        }
      }
    // NaN and the two infinities everywhere, at least.
    expect(refused).toBeGreaterThanOrEqual(3 * places.length);
  });

  test('a key it does not know is refused when it is new, and kept when it was read', async () => {
    const strange: RawDocument = { ...document, invented: { deep: [1, null, 'x'] } };
    const wrong = strange as unknown as { version: number };
    await rm(path(), { force: true });
    await expect(writeManifest(path(), kind, wrong)).rejects.toThrow(/'invented' is no field/);
    await writeFile(path(), JSON.stringify(strange));
    const read = await readManifest(path(), kind);
    expect(read).toEqual(strange);
    await writeManifest(path(), kind, { ...read }, read);
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toEqual(strange);
  });

  test('a newer version is said to be newer, a senseless one to be damaged', async () => {
    await writeFile(path(), JSON.stringify({ ...document, version: kind.version + 1, added: true }));
    await expect(readManifest(path(), kind)).rejects.toMatchObject({
      code: 'newer',
      message: `'${path()}' was written by a newer Lazyscope (version ${kind.version + 1}; this one reads up to ${kind.version}): update Lazyscope to read it.`,
    });
    for (const version of ['1', 0.5, -1, null]) {
      await writeFile(path(), JSON.stringify({ ...document, version }));
      await expect(readManifest(path(), kind)).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  test('a truncated file is damaged, and the remedy is said', async () => {
    const text = JSON.stringify(document);
    for (const part of ['', text.slice(0, text.length / 2), '[]', 'null', '3']) {
      await writeFile(path(), part);
      await expect(readManifest(path(), kind)).rejects.toMatchObject({ code: 'corrupt' });
      await expect(readManifest(path(), kind)).rejects.toThrow(kind.remedy);
    }
  });
});

test('unknown keys deep inside a document are kept too', async () => {
  const path = join(folder, 'run.json');
  const run = example('runs/topk/run.json') as unknown as RunManifest;
  const strange = { ...run, environment: { ...run.environment, memory: '64 GB' } };
  await writeFile(path, JSON.stringify(strange));
  const read = await readManifest(path, runKind);
  await writeManifest(path, runKind, { ...read, step: 7 }, read);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ ...strange, step: 7 });
});

test('an older document is brought up to date step by step, its unknown keys with it', async () => {
  const path = join(folder, 'old.json');
  const schema = z.strictObject({ version: z.literal(3), name: z.string(), tokensPerSecond: z.number() });
  const kind: ManifestKind<z.infer<typeof schema>> = {
    name: 'a run',
    remedy: 'train it again',
    version: 3,
    schema,
    upgrades: {
      1: ({ speed, ...rest }) => ({ ...rest, perMinute: Number(speed) * 60 }),
      2: ({ perMinute, ...rest }) => ({ ...rest, tokensPerSecond: Number(perMinute) / 60 }),
    },
  };
  const today = { version: 3, name: 'old', tokensPerSecond: 12, colour: 'green' };
  for (const old of [
    { name: 'old', speed: 12, colour: 'green' },
    { version: 1, name: 'old', speed: 12, colour: 'green' },
    { version: 2, name: 'old', perMinute: 720, colour: 'green' },
    today,
  ]) {
    await writeFile(path, JSON.stringify(old));
    expect(await readManifest(path, kind)).toEqual(today);
  }
});

test('figures that may be undefined are null in the file and in what is read', async () => {
  const path = join(folder, 'dead.json');
  const dead = example('runs/topk/seed-0/evaluation.json') as unknown as Record<string, unknown>;
  const figures = ['fvu', 'explainedVariance', 'reconstructionBias', 'ceRecovered', 'ceRecoveredMean'];
  for (const figure of figures) dead[figure] = null;
  const evaluation = evaluationKind.schema.parse(dead);
  await writeManifest(path, evaluationKind, evaluation);
  expect(await readManifest(path, evaluationKind)).toEqual(evaluation);
});

test('the fixtures have a document of every kind in sae/spec/manifests', () => {
  const files = readdirSync(join(import.meta.dirname, '../spec/manifests'));
  expect(kinds).toHaveLength(files.filter((file) => file !== 'manifestKind.ts').length);
});
