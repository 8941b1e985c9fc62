import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { labelsFromNeuronpedia } from './labelsFromNeuronpedia.ts';
import { neuronpediaAgreement } from './neuronpediaAgreement.ts';
import { readNeuronpediaSource, type NeuronpediaFeature } from './readNeuronpediaSource.ts';

const of = { modelId: 'gpt2-small', layer: '5-res-jb' };
/** As the public bucket has them. */
const explanation = (index: number, description: string, explanationModelName = 'gpt-4o-mini') => ({
  id: `e${index}`, ...of, index: String(index), description, explanationModelName, typeName: 'oai_token-act-pair',
  authorId: 'a', triggeredByUserId: 'a', notes: null, scoreV1: 0, embedding: [0.25, -1], createdAt: '2024-05-01', updatedAt: '2024-05-01',
}); // prettier-ignore
const feature = (index: number, pos_str: string[], vector: number[] = []) => ({
  ...of, index: String(index), pos_str, pos_values: pos_str.map(() => 1), frac_nonzero: 0.01, hasVector: vector.length > 0, vector,
}); // prettier-ignore

async function folderOf(files: Record<string, readonly object[] | string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-neuronpedia-'));
  for (const [name, content] of Object.entries(files)) {
    const text =
      typeof content === 'string' ? content : content.map((line) => `${JSON.stringify(line)}\n`).join('');
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
  }
  return folder;
}
const refused = async (
  files: Record<string, readonly object[] | string>,
  message: RegExp,
  code = 'bad_input',
) =>
  expect(readNeuronpediaSource(await folderOf(files))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });

test('the folder of a source: batches of explanations and features, in the order of their numbers', async () => {
  const folder = await folderOf({
    'explanations/batch-10.jsonl.gz': [explanation(9, 'numbers')],
    'explanations/batch-2.jsonl.gz': [explanation(2, ' years '), explanation(2, 'dates', 'gemini')],
    'features/batch-0.jsonl.gz': [feature(2, [' 1999', ' 2001'])],
    'activations/batch-0.jsonl.gz': 'not read',
    'source.jsonl': [{ id: '5-res-jb' }],
  });
  const source = await readNeuronpediaSource(folder);
  expect(source).toEqual({
    model: 'gpt2-small',
    source: '5-res-jb',
    explanations: [
      { latent: 2, description: ' years ', explainer: 'gpt-4o-mini' },
      { latent: 2, description: 'dates', explainer: 'gemini' },
      { latent: 9, description: 'numbers', explainer: 'gpt-4o-mini' },
    ],
    features: new Map([[2, { promoted: [' 1999', ' 2001'], vector: [] }]]),
    unread: 0,
  });
  // The folder above stands for its only source.
  const nested = await folderOf({
    'gpt2-small/5-res-jb/explanations/batch-0.jsonl.gz': [explanation(3, 'x')],
  });
  expect((await readNeuronpediaSource(nested)).explanations).toHaveLength(1);
});

test('answers of the API: a feature with its explanations, and a list', async () => {
  const answer = {
    ...feature(7, [' cat']),
    explanations: [{ description: 'cats', explanationModelName: 'gpt-4' }],
    activations: [{ tokens: ['a'], values: [1] }],
  };
  const one = await readNeuronpediaSource(
    await folderOf({ 'feature.json': JSON.stringify(answer, null, 2) }),
  );
  expect(one.explanations).toEqual([{ latent: 7, description: 'cats', explainer: 'gpt-4' }]);
  expect(one.features.get(7)?.promoted).toEqual([' cat']);
  const list = JSON.stringify([explanation(1, 'a'), explanation(2, 'b')]);
  expect((await readNeuronpediaSource(await folderOf({ 'export.json': list }))).explanations).toHaveLength(2);
});

test('what is of several sources, damaged or something else is refused', async () => {
  const other = { ...explanation(1, 'b'), layer: '6-res-jb' };
  await refused({ 'explanations/batch-0.jsonl': [explanation(0, 'a'), other] }, /'gpt2-small 6-res-jb'.*one source/);
  await refused({ 'explanations/batch-0.jsonl': `${JSON.stringify(explanation(0, 'a'))}\n{"index":` }, /line 2/, 'corrupt');
  await refused({ 'activations/batch-0.jsonl': [{ index: '0', tokens: [], values: [] }] }, /neither explanations nor features/);
  await refused({ 'a/explanations/x.jsonl': [], 'b/explanations/x.jsonl': [] }, /2 folders: give that of one source/);
  await refused({ 'notes.txt': 'nothing' }, /neither explanations\/ nor features\//);
}); // prettier-ignore

test('the first explanation of a latent is its label, cut to the length of one', async () => {
  const long = `${'word '.repeat(60)}end`;
  const source = await readNeuronpediaSource(
    await folderOf({ 'e.jsonl': [explanation(0, long), explanation(1, 'a'), explanation(1, 'b', 'gemini')] }),
  );
  const choice = { latents: 4, createdAt: '2026-01-01' };
  const all = labelsFromNeuronpedia(source, choice);
  expect(all).toMatchObject({ further: 1, cut: 1 });
  expect(all.labels.map(({ label }) => label.length <= 200)).toEqual([true, true]);
  expect(all.labels[0].label).toMatch(/^word .* word…$/);
  expect(labelsFromNeuronpedia(source, { ...choice, explainer: 'gemini' }).labels).toMatchObject([
    { latent: 1, label: 'b', model: 'gemini' },
  ]);
  expect(labelsFromNeuronpedia(source, { ...choice, only: [0] }).labels).toHaveLength(1);
  expect(() => labelsFromNeuronpedia(source, { ...choice, explainer: 'me' })).toThrow(
    /by gpt-4o-mini, gemini/,
  );
  expect(() => labelsFromNeuronpedia(source, { ...choice, latents: 1 })).toThrow(/feature 1.*1 latents/);
});

test('a source is told from another by decoder rows where it has them, and by promoted tokens', async () => {
  const vocabulary = Array.from({ length: 60 }, (_, id) => ` token${id}`);
  const ids = (latent: number) => [0, 1, 2, 3].map((i) => 4 * latent + i);
  const wDec = Float32Array.from({ length: 10 * 3 }, (_, i) => Math.sin(i * i));
  const dictionary = { latents: 10, d: 3, wDec, promoted: ids, vocabulary };
  const texts = (latent: number) => ids(latent).map((id) => `▁token${id}`);
  const all = Array.from({ length: 10 }, (_, latent) => latent);
  const sourceOf = (of: (latent: number) => Partial<NeuronpediaFeature>) =>
    new Map(all.map((latent) => [latent, { promoted: [], vector: [], ...of(latent) }]));
  const own = sourceOf((latent) => ({ promoted: texts(latent) }));
  expect(neuronpediaAgreement(own, dictionary)).toEqual({ by: 'promoted tokens', features: 10, share: 1, chance: 0 });
  const other = sourceOf((latent) => ({ promoted: texts((latent + 1) % 10) }));
  expect(neuronpediaAgreement(other, dictionary)?.share).toBe(0);
  const row = (latent: number) => Array.from(wDec.subarray(3 * latent, 3 * latent + 3), (value) => 2 * value);
  const byRows = neuronpediaAgreement(sourceOf((latent) => ({ vector: row(latent) })), dictionary);
  expect(byRows).toMatchObject({ by: 'decoder rows', features: 10 });
  expect(byRows?.share).toBeCloseTo(1);
  expect(Math.abs(byRows?.chance ?? 1)).toBeLessThan(0.6);
  expect(neuronpediaAgreement(new Map([...own].slice(0, 2)), dictionary)).toBeNull();
}); // prettier-ignore

test('hundreds of thousands of entries that are no explanations are passed over at once', async () => {
  const before = process.cpuUsage();
  await refused(
    { 'batch-0.jsonl': `[${'{},'.repeat(400_000)}{}]` },
    /holds neither explanations nor features/,
  );
  const { user, system } = process.cpuUsage(before);
  expect(user + system).toBeLessThan(1_500_000);
});
