/**
 * Crosscoders in the form of dictionary_learning's fork, against what PyTorch computes with them (scripts/peers/crosscoderFixtures.py), and back in
 * that form.
 */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { computeHere, measureAgainst, readExpected } from '../fixtures/packageFixture.ts';
import { withoutScales } from './crosscoderWeights.ts';
import { dictionaryFormats, exportDictionary, importDictionary } from './importDictionary.ts';
import { openPytorchFile } from './pytorchFile.ts';
import { writePytorchFile } from './writePytorchFile.ts';

const root = join(import.meta.dirname, 'fixtures', 'crosscoders');
const names = readdirSync(root);
/** Where exports stay for `crosscoderFixtures.py --check`. */
const kept = process.env['LAZYSCOPE_KEPT_EXPORTS'];

beforeAll(() => startBackend('cpu'));
const folder = () => mkdtemp(join(tmpdir(), 'lazyscope-crosscoders-'));

test.each(names)(
  '%s computes here what it computes there, and so does what is written again',
  async (name) => {
    const [weights, expected] = [
      await importDictionary(join(root, name)),
      await readExpected(join(root, name)),
    ];
    expect(weights.crosscoder).toEqual({ widths: [6, 6, 6] });
    expect(weights.kind).toBe(`dictionary_learning ${expected.kind}`);
    const fired = expected.activations.flat().filter((value) => value > 0).length;
    expect(fired).toBeGreaterThan(20);
    const there = measureAgainst(weights, expected);
    expect(there.encode).toBeLessThan(1e-5);
    expect(there.reconstruct).toBeLessThan(1e-5);
    for (const format of dictionaryFormats) {
      const to = join(kept ?? (await folder()), `${name}-${format}`);
      if (format !== 'dictionary-learning') {
        await expect(exportDictionary(to, format, weights)).rejects.toThrow(/has no crosscoders/);
        continue;
      }
      await exportDictionary(to, format, weights);
      const back = measureAgainst(await importDictionary(to), expected);
      expect(back.encode).toBeLessThan(1e-5);
      expect(back.reconstruct).toBeLessThan(1e-5);
      if (kept !== undefined) await writeFile(join(to, 'expected.json'), JSON.stringify(expected));
    }
  },
);

test('scales of the layers are folded into what is written', async () => {
  const weights = await importDictionary(join(root, 'relu'));
  const { x } = await readExpected(join(root, 'relu'));
  const layers = [2, 0.5, 3].map((scale, at) => ({ hook: String(at), width: 6, scale }));
  const scale = (row: readonly number[]) => row.map((value, at) => value * layers[Math.floor(at / 6)].scale);
  // What it computes of scaled activations, and what the folded one computes of the activations themselves.
  const scaled = computeHere(weights, x.map(scale));
  const raw = computeHere(withoutScales(weights, layers), x);
  for (const [row, values] of raw.activations.entries())
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(scaled.activations[row][i], 4);
  for (const [row, values] of (raw.reconstruction as number[][]).map(scale).entries())
    for (const [i, value] of values.entries())
      expect(value).toBeCloseTo((scaled.reconstruction as number[][])[row][i], 4);
});

test('without config.json the tensors tell the class', async () => {
  const to = await folder();
  const file = openPytorchFile(join(root, 'batchtopk', 'ae.pt'));
  await writePytorchFile(join(to, 'ae.pt'), tensorsOf(file, {}));
  expect(await importDictionary(to)).toMatchObject({ architecture: 'batchtopk', k: 4, crosscoder: {} });
});

function tensorsOf(file: ReturnType<typeof openPytorchFile>, changes: Record<string, number>) {
  return Object.fromEntries(
    file.names.map((name) => {
      const data = file.float32(name);
      const isWhole = name === 'k' || name === 'code_normalization_id';
      const values = name in changes ? Float32Array.of(changes[name]) : data;
      return [
        name,
        { shape: [...file.shape(name)], data: isWhole ? BigInt64Array.of(BigInt(values[0])) : values },
      ];
    }),
  );
}

test.each([
  [{ code_normalization_id: 3 }, /code normalisation MIXED/],
  [{ code_normalization_id: 5 }, /code normalisation DECOUPLED/],
  [{ threshold: -1 }, /no threshold yet/],
  [{ k: 0 }, /k is 0 with 20 latents/],
])('%o is refused by name', async (changes, why) => {
  const to = await folder();
  await mkdir(to, { recursive: true });
  const file = openPytorchFile(join(root, 'batchtopk', 'ae.pt'));
  await writePytorchFile(join(to, 'ae.pt'), tensorsOf(file, changes));
  await expect(importDictionary(to)).rejects.toThrow(why);
});

test('what their classes do not compute is refused', async () => {
  const weights = await importDictionary(join(root, 'batchtopk'));
  const write = async (changes: object) =>
    exportDictionary(await folder(), 'dictionary-learning', { ...weights, ...changes });
  await expect(write({ architecture: 'topk', threshold: null })).rejects.toThrow(/ReLU and BatchTopK alone/);
  await expect(write({ crosscoder: { widths: [4, 8, 6] } })).rejects.toThrow(/layers of one width/);
  const threshold = weights.threshold!.map((theta, i) => theta * (1 + i));
  await expect(write({ threshold })).rejects.toThrow(/one for each latent/);
  await expect(importDictionary(join(root, 'relu'), { transposed: 'encoder' })).rejects.toThrow(/no transposition/); // prettier-ignore
});
