import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseExclusionRule } from '../activations/exclusionRule.ts';
import { openCapture } from '../activations/openCapture.ts';
import { loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { startBackend } from '../backends/startBackend.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { indexFeatures } from '../features/indexFeatures.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { StoreLayout } from '../store/layout.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import { openText } from '../tokens/text/openText.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { holdOut, type HeldOutOptions } from './fromModel.ts';
import { readMetrics } from './metrics.ts';
import { train, type TrainOptions } from './train.ts';

const hook = 'blocks.0.hook_resid_post' as const;
const root = join(import.meta.dirname, '..', '..');
const modelFolder = join(root, 'sae', 'models', 'fixtures', 'tinyLlama');
const environment = {
  lazyscope: '0', node: process.version, platform: 'test', cpu: 'test', backend: 'native', threads: 1,
}; // prettier-ignore
let store: StoreLayout;
let model: LanguageModel;
let path: string;

beforeAll(async () => {
  await startBackend('native', { threads: 1 });
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-from-model-')));
  model = await loadLanguageModel(modelFolder);
  path = join(store.root, 'text.txt');
  const words = 'the whale sails over a grey sea while many old men look on and sing of it'.split(' ');
  const sentence = (i: number) =>
    Array.from({ length: 9 }, (_, j) => words[(i * 5 + j * (i % 7) + j) % 16]).join(' ');
  await writeFile(path, Array.from({ length: 300 }, (_, i) => `${sentence(i)}.`).join('\n<|endoftext|>\n'));
});

async function source(changes: Partial<HeldOutOptions> = {}) {
  return holdOut({
    store,
    capture: 'kept',
    model,
    hook,
    text: await openText(path),
    named: { text: path },
    contextLength: 16,
    firstPosition: 1,
    before: 'contexts',
    dtype: 'float16',
    exclude: parseExclusionRule('position:2,norm:3'),
    heldOutTokens: 400,
    bufferTokens: 700,
    ...changes,
  });
}

async function options(
  name: string,
  architecture: ArchitectureName = 'topk',
  changes: { tokens?: number; batchSize?: number } = {},
): Promise<TrainOptions> {
  const config = defaultTrainingConfig(architecture, {
    capture: 'kept',
    hook,
    d: model.width(hook),
    tokens: 3200,
    batchSize: 32,
    width: 24,
    seeds: [3, 5],
    checkpointEvery: 20,
    logEvery: 7,
    deadAfter: 300,
    ...(architecture === 'topk' && { k: 3 }),
    ...changes,
  });
  return { store, name, config, environment, fromModel: await source() };
}

async function sameAs(a: string, b: string): Promise<void> {
  for (const seed of [3, 5]) {
    const [one, other] = [await loadAutoencoder(store, a, seed), await loadAutoencoder(store, b, seed)];
    for (const part of ['wEnc', 'bEnc', 'wDec', 'bDec', 'threshold'] as const)
      expect(other[part]).toEqual(one[part]);
    one.dispose();
    other.dispose();
  }
}

describe('a run without a capture of its training rows', () => {
  test('trains every seed, says what it read, and keeps held-out rows alone on the disk', async () => {
    const stages = new Set<string>();
    const manifest = await train({ ...(await options('whole')), report: ({ stage }) => stages.add(stage) });
    expect(manifest).toMatchObject({
      status: 'complete',
      step: 100,
      fromModel: { text: path, heldOutOf: 250, bufferTokens: 700 },
      exclusion: { rule: 'position:2,norm:3', rows: expect.any(Number) },
    });
    // A row of each context at least: position 1 of those that made 3,200 rows.
    expect(manifest.exclusion?.rows).toBeGreaterThan(3200 / 14);
    expect([...stages]).toEqual(['compute activations', 'train topk']);
    expect((await readMetrics(store.runMetrics('whole'))).every((row) => Number.isFinite(row.loss))).toBe(
      true,
    );
    const kept = await openCapture(store, 'kept');
    expect(kept).toMatchObject({ trainRows: 0, heldOutRows: 25 * 15 });
    kept.close();
    expect(await readdir(store.captures())).toEqual(['kept']);
  });

  test('is evaluated and indexed on the held-out rows', async () => {
    const evaluation = await evaluate({ store, run: 'whole', seed: 3, model });
    expect(evaluation.exclusion?.rule).toBe('position:2,norm:3');
    for (const value of [evaluation.fvu, evaluation.l0, evaluation.ceRecovered])
      expect(Number.isFinite(value)).toBe(true);
    await indexFeatures({ store, run: 'whole', seed: 3, model });
    expect(existsSync(store.features('whole', 3))).toBe(true);
  });

  test.each(['topk', 'jumprelu'] as const)(
    '%s stopped and resumed gives the same bits',
    async (architecture) => {
      if (architecture !== 'topk') await train(await options(`${architecture}-whole`, architecture));
      const whole = architecture === 'topk' ? 'whole' : `${architecture}-whole`;
      const name = `${architecture}-parts`;
      for (const step of [21, 56, 84]) {
        const controller = new AbortController();
        const report: TrainOptions['report'] = ({ stage, done }) => {
          if (stage.startsWith('train') && done >= step) controller.abort();
        };
        const part = { ...(await options(name, architecture)), resume: step > 21, signal: controller.signal };
        await expect(train({ ...part, report })).rejects.toMatchObject({ code: 'cancelled' });
      }
      await train({ ...(await options(name, architecture)), resume: true });
      await sameAs(whole, name);
      const rows = async (run: string) =>
        (await readMetrics(store.runMetrics(run))).map((row) => ({ ...row, tokensPerSecond: 0 }));
      expect(await rows(name)).toEqual(await rows(whole));
      const excluded = (run: string) => JSON.parse(readFileSync(store.runManifest(run), 'utf8')).exclusion;
      expect(excluded(name)).toEqual(excluded(whole));
    },
  );

  test('a stop while the buffer is filled is a stop too, and leaves what can be resumed', async () => {
    const first = new AbortController();
    const atOnce = { signal: first.signal, report: () => first.abort() };
    await expect(train({ ...(await options('early')), ...atOnce })).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringMatching(/at step 0 of 100: start it again/),
    });
    expect(existsSync(store.runManifest('early'))).toBe(false);
    // The first 16,384 rows were computed for the statistics.
    const longer = async (name: string) => options(name, 'topk', { tokens: 24_000, batchSize: 250 });
    const later = new AbortController();
    let trained = 0;
    const report: TrainOptions['report'] = ({ stage, done }) => {
      if (stage.startsWith('train')) trained = done;
      else if (trained > 30) later.abort();
    };
    const stopped = train({ ...(await longer('early')), signal: later.signal, report });
    await expect(stopped).rejects.toThrow(/at step [6-9]\d of 96: resume it/);
    await train({ ...(await longer('early')), resume: true });
    await train(await longer('longer'));
    await sameAs('longer', 'early');
  });

  test('another buffer, another text, another model and a run on a capture are refused', async () => {
    const stopAt = new AbortController();
    const report: TrainOptions['report'] = ({ stage, done }) => {
      if (stage.startsWith('train') && done >= 21) stopAt.abort();
    };
    await expect(train({ ...(await options('other')), signal: stopAt.signal, report })).rejects.toThrow();
    const resume = async (changes: Partial<TrainOptions>) =>
      train({ ...(await options('other')), resume: true, ...changes });
    await expect(resume({ fromModel: await source({ bufferTokens: 701 }) })).rejects.toThrow(
      /bufferTokens was 700/,
    );
    await expect(resume({ fromModel: undefined })).rejects.toThrow(/it read from a model.*--resume alone/);
    const fromModel = await source();
    await expect(source({ bufferTokens: 14 })).rejects.toThrow(/doesn't hold the 15 of one context/);
    await appendFile(path, '\nmore');
    await expect(resume({ fromModel: { ...fromModel, text: await openText(path) } })).rejects.toThrow(
      /is not the text whose held-out rows/,
    );
  });
});

test('killed anywhere and resumed by its name alone, a command gives the same bits', async () => {
  const words = Array.from({ length: 4000 }, (_, i) => `word${(i * 7919) % 613}`).join(' ');
  const text = join(store.root, 'words.txt');
  await writeFile(text, words);
  const command = (args: readonly string[]) =>
    spawn(process.execPath, ['scripts/lazyscope.mjs', 'train', '--data', store.root, '--json', ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const begun = (name: string) => [
    '--from-model', modelFolder, '--text', text, '--hook', hook, '--tokens', '20000', '--architecture', 'topk', '--k', '4',
    '--width', '32', '--seeds', '1,2', '--batch-size', '64', '--buffer-tokens', '900', '--held-out-tokens', '500',
    '--context-length', '16', '--checkpoint-every', '10', '--name', name, '--threads', '1', '--backend', 'native',
  ]; // prettier-ignore
  const finished = async (child: ReturnType<typeof command>) => {
    let said = '';
    child.stderr?.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(said);
    return said;
  };
  expect(await finished(command(begun('cli-whole')))).toMatch(
    /shuffle buffer of 900 tokens \(--buffer-tokens\)/,
  );
  const killed = command(begun('cli-killed'));
  const checkpoints = store.runCheckpoints('cli-killed');
  while (!existsSync(checkpoints) || (await readdir(checkpoints)).length < 2)
    await new Promise((next) => setTimeout(next, 5));
  killed.kill('SIGKILL');
  await once(killed, 'close');
  expect(JSON.parse(readFileSync(store.runManifest('cli-killed'), 'utf8')).status).toBe('training');
  await finished(command(['--name', 'cli-killed', '--resume', '--threads', '1', '--backend', 'native']));
  for (const seed of [1, 2]) {
    const [a, b] = [
      await loadAutoencoder(store, 'cli-whole', seed),
      await loadAutoencoder(store, 'cli-killed', seed),
    ];
    expect(b.wDec).toEqual(a.wDec);
    expect(b.wEnc).toEqual(a.wEnc);
    a.dispose();
    b.dispose();
  }
});
