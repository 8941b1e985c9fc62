/**
 * Dictionaries that SAELens, sparsify and dictionary_learning wrote themselves, against what those packages compute with
 * them. Made by scripts/peers/packageFixtures.py, whose `expected.json` names the class and the package's version.
 */
import { appendFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import { startBackend } from '../backends/startBackend.ts';
import { computeHere, measureAgainst, readExpected } from '../fixtures/packageFixture.ts';
import type { DictionaryWeights } from './dictionaryWeights.ts';
import {
  dictionaryFormats,
  exportDictionary,
  importDictionary,
  type DictionaryFormat,
} from './importDictionary.ts';
import { openPytorchFile } from './pytorchFile.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { writePytorchFile } from './writePytorchFile.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

const root = join(import.meta.dirname, 'fixtures', 'packages');
/** Where exports and figures stay for scripts/peers/writeFormatsTable.mjs. */
const kept = process.env['LAZYSCOPE_KEPT_EXPORTS'];
const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('expected.json'))
  .map(dirname);

test('there are fixtures of every package', () => {
  expect(names.length).toBeGreaterThanOrEqual(20);
});

test.each(names)('%s computes here what its package computes', async (name) => {
  const folder = join(root, name);
  const [dictionary, expected] = [await importDictionary(folder), await readExpected(folder)];
  const error = measureAgainst(dictionary, expected);
  expect(error.encode).toBeLessThan(1e-5);
  expect(error.reconstruct).toBeLessThan(1e-5);
  if (kept === undefined) return;
  await mkdir(join(kept, name), { recursive: true });
  const here = { ...expected, ...computeHere(dictionary, expected.x) };
  await writeFile(join(kept, name, 'expected.json'), JSON.stringify(here));
  const { kind, architecture } = dictionary;
  const line = { name, kind, architecture, version: expected.version, ...error };
  await appendFile(join(kept, 'imports.jsonl'), `${JSON.stringify(line)}\n`);
});

test.each(names)('%s comes back bit by bit from every format that can hold it', async (name) => {
  const expected = await readExpected(join(root, name));
  const weights = await importDictionary(join(root, name));
  for (const format of dictionaryFormats) {
    const folder = join(kept ?? (await mkdtemp(join(tmpdir(), 'lazyscope-trip-'))), name, format);
    if (!canHold(format, weights)) {
      // The remedy names every format that can hold it, and none that would refuse it in turn.
      const others = dictionaryFormats.filter((other) => canHold(other, weights));
      await expect(exportDictionary(folder, format, weights)).rejects.toMatchObject({
        code: 'bad_input',
        message: expect.stringMatching(
          others.length > 0
            ? new RegExp(`: export to ${others.join(' or ')}\\.$`)
            : /no other format has it either/,
        ),
      });
      continue;
    }
    await exportDictionary(folder, format, weights);
    const back = await importDictionary(folder);
    expect(back.wEnc).toEqual(weights.wEnc);
    expect(back.wDec).toEqual(weights.wDec);
    expect(back.normalisation).toBe(weights.normalisation);
    // What has a gate holds θ as the difference of two biases.
    if (back.architecture === 'gated')
      back.threshold?.forEach((theta, i) => expect(theta).toBeCloseTo(weights.threshold![i], 5));
    else if (weights.threshold) expect(back.threshold).toEqual(weights.threshold);
    expect(measureAgainst(back, expected).encode).toBeLessThan(1e-5);
    // Files of Gemma Scope's don't say that they are of transcoders.
    if (format === 'gemma-scope') continue;
    expect(back.transcoder?.wSkip).toEqual(weights.transcoder?.wSkip);
    expect(measureAgainst(back, expected).reconstruct).toBeLessThan(1e-5);
  }
});

function canHold(
  format: DictionaryFormat,
  { architecture, d, bDec, transcoder, normalisation }: DictionaryWeights,
): boolean {
  const oneWidth = bDec.length === d;
  if (normalisation) return format === 'saelens';
  const pursues = architecture === 'matchingpursuit';
  switch (format) {
    case 'sparsify':
      return (architecture === 'topk' || architecture === 'groupmax') && oneWidth;
    case 'gemma-scope':
      return !['topk', 'groupmax'].includes(architecture) && !pursues && oneWidth && !transcoder?.wSkip;
    case 'saelens':
      return architecture !== 'groupmax' && (!transcoder || architecture !== 'topk');
    case 'dictionary-learning':
      return !transcoder && !pursues && architecture !== 'groupmax';
  }
}

test('transcoders say what they read and what they predict', async () => {
  expect(await importDictionary(join(root, 'saelens-skip-transcoder'))).toMatchObject({
    kind: 'SAELens skip_transcoder',
    d: 6,
    hook: 'blocks.1.ln2.hook_normalized',
    transcoder: { outputHook: 'blocks.1.hook_mlp_out' },
  });
  expect(await importDictionary(join(root, 'sparsify-transcoder', 'layers.1.mlp'))).toMatchObject({
    kind: 'sparsify transcoder',
    hook: null,
    transcoder: { outputHook: 'layers.1.mlp', wSkip: null },
  });
  expect(await importDictionary(join(root, 'gemma-scope-2-transcoder'))).toMatchObject({
    kind: 'Gemma Scope 2 transcoder',
    transcoder: { outputHook: 'model.layers.3.post_feedforward_layernorm.output' },
  });
});

test('an autoencoder of sparsify’s with a skip connection predicts what it reads, here and when it is written', async () => {
  const weights = await importDictionary(join(root, 'sparsify-skip-autoencoder'));
  expect(weights).toMatchObject({
    kind: 'sparsify skip autoencoder of topk',
    hook: 'layers.1',
    transcoder: { outputHook: 'layers.1' },
  });
  expect(weights.folded.join()).toMatch(/−W_enc·b_dec was added to b_enc/);
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-skip-'));
  await exportDictionary(folder, 'sparsify', weights);
  const written = JSON.parse(await readFile(join(folder, 'cfg.json'), 'utf8'));
  expect(written).toMatchObject({ transcode: false, skip_connection: true });
});

async function copyOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-package-'));
  await cp(join(root, name), folder, { recursive: true });
  return folder;
}

interface Config {
  [setting: string]: unknown;
  trainer: { [setting: string]: unknown };
}

/** Changes a configuration; returns the folder. */
async function withConfig(name: string, file: string, change: (config: Config) => void): Promise<string> {
  const folder = await copyOf(name);
  const config = JSON.parse(await readFile(join(folder, file), 'utf8'));
  change(config);
  await writeFile(join(folder, file), JSON.stringify(config));
  return folder;
}

const refused = (folder: string, message: RegExp, code = 'bad_input') =>
  expect(importDictionary(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

test('a file from before PyTorch 1.6 that is cut short is corrupt', async () => {
  const folder = await copyOf('dictionary-learning-legacy');
  const whole = await readFile(join(folder, 'ae.pt'));
  for (const size of [whole.length - 1, whole.length >> 1, 200, 20]) {
    await writeFile(join(folder, 'ae.pt'), whole.subarray(0, size));
    await refused(folder, /ae\.pt/, 'corrupt');
  }
});

test('BatchTopK below its learnt threshold of −1 is ReLU, and the threshold is kept', async () => {
  const weights = await importDictionary(join(root, 'dictionary-learning-batchtopk-unlearnt'));
  expect(weights.threshold).toEqual(new Float32Array(10).fill(-1));
});

test('an ae.pt of TopK or BatchTopK without config.json: the class is asked for, and what is answered is used', async () => {
  const folder = await copyOf('dictionary-learning-batchtopk');
  await rm(join(folder, 'config.json'));
  await refused(folder, /AutoEncoderTopK and BatchTopKSAE.*--class/);
  const expected = await readExpected(folder);
  const asBatch = await importDictionary(folder, { class: 'BatchTopKSAE' });
  expect(measureAgainst(asBatch, expected).encode).toBeLessThan(1e-5);
  const asTopK = await importDictionary(folder, { class: 'AutoEncoderTopK' });
  expect(asTopK).toMatchObject({ architecture: 'topk', k: 3 });
  expect(measureAgainst(asTopK, expected).encode).toBeGreaterThan(0.01);
});

test('Matryoshka is told by its tensors where config.json is missing', async () => {
  const folder = await copyOf('dictionary-learning-matryoshka');
  await rm(join(folder, 'config.json'));
  const error = measureAgainst(await importDictionary(folder), await readExpected(folder));
  expect(error.encode).toBeLessThan(1e-5);
});

test.each(['dictionary-learning-matryoshka', 'saelens-matryoshka'])(
  '%s is read as Matryoshka over BatchTopK, with its prefixes',
  async (name) => {
    expect(await importDictionary(join(root, name))).toMatchObject({
      architecture: 'matryoshka',
      k: 3,
      prefixes: [4, 10],
    });
  },
);

test('unknown classes are refused by name; --class is the remedy', async () => {
  const folder = await withConfig('dictionary-learning-standard', 'config.json', ({ trainer }) => {
    trainer.dict_class = 'MyAutoEncoder';
  });
  await refused(folder, /class 'MyAutoEncoder'.*--class/);
  expect(await importDictionary(folder, { class: 'AutoEncoder' })).toMatchObject({ architecture: 'relu' });
  await expect(importDictionary(join(root, 'saelens-topk'), { class: 'AutoEncoder' })).rejects.toMatchObject({
    code: 'bad_input',
  });
});

test('tensors that nobody reads are refused by name', async () => {
  const folder = await withConfig('dictionary-learning-matryoshka', 'config.json', ({ trainer }) => {
    trainer.dict_class = 'JumpReluAutoEncoder';
  });
  await refused(folder, /JumpReluAutoEncoder, which has no '(k|group_sizes)', '(k|group_sizes)'/);
  const gated = await withConfig('saelens-gated', 'cfg.json', (config) => {
    config.architecture = 'standard';
  });
  await refused(gated, /no tensor 'b_enc'/, 'corrupt');
});

test.each([NaN, Infinity, -Infinity])(
  'one weight of %d is refused, with the name of its tensor',
  async (value) => {
    const folder = await copyOf('dictionary-learning-topk');
    const file = openPytorchFile(join(folder, 'ae.pt'));
    const tensors = Object.fromEntries(
      file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
    );
    tensors['encoder.weight'].data[6 * 4 + 2] = value;
    await writePytorchFile(join(folder, 'ae.pt'), tensors);
    await refused(
      folder,
      new RegExp(`${value} in tensor 'encoder.weight' \\(element \\[4, 2\\]\\)`),
      'corrupt',
    );
  },
);

test('what sparsify computes in ways that are unknown here is refused by name', async () => {
  const change = (set: object) =>
    withConfig('sparsify/layers.1', 'cfg.json', (config) => void Object.assign(config, set));
  await refused(await change({ activation: 'groupmax', signed: true }), /signed and uses groupmax/);
  await refused(await change({ activation: 'groupmax' }), /10 latents can't be 3 groups/, 'corrupt');
  await refused(await change({ activation: 'gumbel' }), /'gumbel'; topk and groupmax/);
  await refused(await change({ skip_connection: true }), /no tensor 'W_skip'/, 'corrupt');
});

test('a folder of sparsify’s with one module stands for it; of several, one has to be named', async () => {
  const parent = await copyOf('sparsify');
  expect(await importDictionary(parent)).toMatchObject({
    hook: 'layers.1',
    architecture: 'topk',
    model: null,
  });
  await writeFile(join(parent, 'config.json'), JSON.stringify({ model: 'EleutherAI/pythia-70m' }));
  expect(await importDictionary(parent)).toMatchObject({ model: 'EleutherAI/pythia-70m' });
  await cp(join(parent, 'layers.1'), join(parent, 'layers.10'), { recursive: true });
  await rename(join(parent, 'layers.1'), join(parent, 'layers.2'));
  await refused(parent, /2 modules: give one of layers\.2, layers\.10/);
});

test.each([
  ['tanh-relu activations', { activation_fn_str: 'tanh-relu' }, /'tanh-relu'/],
  ['whitening that is not there', { normalize_activations: 'covariance_whitening' }, /activation_whitening/],
  [
    'whitened matching pursuit',
    { architecture: 'matching_pursuit', normalize_activations: 'covariance_whitening' },
    /whitens activations of matching pursuit/,
  ],
  ['a scale that is not there', { normalize_activations: true }, /activation_scaler\.json/],
  ['temporal', { architecture: 'temporal' }, /'temporal'/],
  [
    'transcoders that normalise',
    { architecture: 'transcoder', normalize_activations: 'expected_average_only_in' },
    /leaves normalised/,
  ],
])('SAELens: %s is refused by name', async (_, change, message) => {
  await refused(
    await withConfig('saelens-standard', 'cfg.json', (config) => void Object.assign(config, change)),
    message,
  );
});

test('latents of either sign are two each, and TopK of those is the same', async () => {
  for (const name of ['saelens-abstopk', 'sparsify-signed']) {
    const weights = await importDictionary(join(root, name));
    expect(weights).toMatchObject({ architecture: 'topk', latents: 20, k: 3 });
    expect(weights.folded.join()).toMatch(/latent i where it is above 0 and i \+ 10 where it is below/);
    const { activations } = await readExpected(
      name === 'saelens-abstopk' ? join(root, name) : join(root, name, 'layers.1'),
    );
    expect(activations.flat().some((value) => value < 0)).toBe(true);
  }
});

test('matching pursuit on scaled activations is that on x with another threshold and b_dec', async () => {
  const name = 'saelens-matching-pursuit';
  const plain = await importDictionary(join(root, name));
  const folder = await withConfig(name, 'cfg.json', (config) => {
    config.normalize_activations = 'expected_average_only_in';
  });
  await writeFile(join(folder, 'activation_scaler.json'), JSON.stringify({ scaling_factor: 2 }));
  const scaled = await importDictionary(folder);
  expect(scaled.pursuit).toEqual({
    ...plain.pursuit,
    residualThreshold: plain.pursuit!.residualThreshold / 2,
  });
  const { x } = await readExpected(folder);
  const halved = x.map((row) => row.map((value) => value / 2));
  const [onScaled, onPlain] = [computeHere(scaled, halved), computeHere(plain, x)];
  onScaled.activations
    .flat()
    .forEach((value, i) => expect(2 * value).toBeCloseTo(onPlain.activations.flat()[i], 5));
  onScaled.reconstruction
    .flat()
    .forEach((value, i) => expect(2 * value).toBeCloseTo(onPlain.reconstruction.flat()[i], 5));
});

test('what normalises each activation by itself says so, and decodes with the activations alone', async () => {
  for (const [name, normalisation] of [
    ['saelens-layer-norm', 'layer norm'],
    ['saelens-constant-norm', 'constant norm'],
  ]) {
    const weights = await importDictionary(join(root, name));
    expect(weights.normalisation).toBe(normalisation);
    expect(weights.folded.join()).toMatch(/every activation is brought to/);
    const metadata = { ...weights, hook: '', model: '', run: '', seed: 0, scale: 1 };
    const autoencoder = autoencoderFrom({ ...weights, metadata });
    const x = tf.tensor2d([[3, 1, -2, 0.5, 1, 2]]);
    const code = autoencoder.encode(x);
    expect(() => autoencoder.decode(code)).toThrow(/normalises activations/);
    expect(autoencoder.decode(code, x).dataSync()).toEqual(autoencoder.reconstruct(x).dataSync());
    // Twice the activations have the same latents, and twice the reconstruction but for the 1e-5.
    const doubled = x.mul<Tensor2D>(2);
    autoencoder.encode(doubled).values.forEach((value, i) => expect(value).toBeCloseTo(code.values[i], 4));
    expect(autoencoder.encode(tf.zeros([1, 6])).values.every(Number.isFinite)).toBe(true);
    autoencoder.dispose();
  }
});

test('SAELens’s older checkpoints of JumpReLU hold log θ', async () => {
  const folder = await copyOf('saelens-jumprelu');
  const path = join(folder, 'sae_weights.safetensors');
  const file = await readSafetensors(path);
  const tensors = Object.fromEntries(
    file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
  );
  const { threshold, ...rest } = tensors;
  const logThreshold = threshold.data.map((_, i) => Math.log(0.1 * (i + 1)));
  await writeSafetensors(path, { ...rest, log_threshold: { shape: threshold.shape, data: logThreshold } });
  const found = await importDictionary(folder);
  found.threshold?.forEach((theta, i) => expect(theta).toBeCloseTo(0.1 * (i + 1), 6));
  expect(found.threshold).toHaveLength(10);
});

test('SAELens’s first configurations: hook_point, and normalize_activations as a boolean', async () => {
  const folder = await withConfig('saelens-standard', 'cfg.json', (config) => {
    delete config.metadata;
    config.hook_point = 'blocks.3.hook_resid_pre';
    config.normalize_activations = false;
  });
  expect(await importDictionary(folder)).toMatchObject({
    hook: 'blocks.3.hook_resid_pre',
    architecture: 'relu',
  });
});

test('Gemma Scope’s autoencoders of embeddings act on what Gemma multiplies by √d', async () => {
  const plain = await importDictionary(join(root, 'saelens-jumprelu'));
  const at = (place: string) =>
    join(tmpdir(), `lazyscope-gemma-${process.pid}`, place, 'width_4k', 'average_l0_6');
  const [usual, embedding] = [at('layer_3'), at('embedding')];
  for (const folder of [usual, embedding]) await exportDictionary(folder, 'gemma-scope', plain);
  const [a, b] = [await importDictionary(usual), await importDictionary(embedding)];
  expect([a.hook, b.hook]).toEqual([null, 'hook_embed']);
  expect(b.folded.join()).toMatch(/activations times/);
  // Of √d·x: the same activations, and √d times the reconstruction.
  const { x } = await readExpected(join(root, 'saelens-jumprelu'));
  const root6 = Math.sqrt(6);
  const [ofX, ofScaled] = [
    computeHere(a, x),
    computeHere(
      b,
      x.map((row) => row.map((value) => root6 * value)),
    ),
  ];
  ofScaled.activations.flat().forEach((value, i) => expect(value).toBeCloseTo(ofX.activations.flat()[i], 5));
  ofScaled.reconstruction
    .flat()
    .forEach((value, i) => expect(value).toBeCloseTo(root6 * ofX.reconstruction.flat()[i], 4));
  await rm(join(tmpdir(), `lazyscope-gemma-${process.pid}`), { recursive: true });
});

test('Gemma Scope 2 says its model and place', async () => {
  expect(await importDictionary(join(root, 'gemma-scope-2'))).toMatchObject({
    kind: 'Gemma Scope 2',
    model: 'gemma-v3-1b-pt',
    hook: 'model.layers.3.output',
  });
});

test('the native kernels compute the same, thresholds below 0 included', async () => {
  await startBackend('native');
  for (const name of names) {
    const folder = join(root, name);
    const error = measureAgainst(await importDictionary(folder), await readExpected(folder));
    expect({ name, close: error.encode < 1e-5 && error.reconstruct < 1e-5 }).toEqual({ name, close: true });
  }
});
