/** Fixtures are written by scripts/peers/formatFixtures.py, with the tools' own libraries where they are small. */
import { cp, mkdtemp, readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import { tf } from '../tensor/tf.ts';
import type { DictionaryWeights } from './dictionaryWeights.ts';
import { writeNpz } from './npz.ts';
import {
  dictionaryFormatOf,
  dictionaryFormats,
  exportDictionary,
  importDictionary,
} from './importDictionary.ts';

const [d, latents, k] = [3, 5, 2];
const numbers = (index: number, count: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i) + index);
const wEnc = numbers(0, latents * d);
const wDec = numbers(1, latents * d);
const bEnc = numbers(2, latents);
const bDec = numbers(3, d);
const threshold = numbers(4, latents);
const fixture = (name: string) => `sae/formats/fixtures/${name}`;
const product = Float32Array.from({ length: latents }, (_, i) =>
  bDec.reduce((sum, b, j) => sum + b * wEnc[i * d + j], 0),
);

const close = (found: Float32Array, expected: ArrayLike<number>) => {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
};

/** What `z` each tool feeds its activation, by its own convention: x·W_enc + b_enc, of x or of x − b_dec. */
const cases: [
  string,
  ArchitectureName,
  { subtracts: boolean; hook?: string | null; threshold?: ArrayLike<number> },
][] = [
  ['gemma-scope', 'jumprelu', { subtracts: false, threshold }],
  ['gemma-scope-compressed', 'jumprelu', { subtracts: false, threshold }],
  ['saelens-jumprelu', 'jumprelu', { subtracts: true, threshold, hook: 'blocks.1.hook_resid_post' }],
  ['saelens-topk-old', 'topk', { subtracts: false, hook: 'blocks.2.hook_mlp_out' }],
  ['sparsify/layers.1', 'topk', { subtracts: true, hook: 'layers.1' }],
  ['dictionary-learning-standard', 'relu', { subtracts: true }],
  ['dictionary-learning-new', 'relu', { subtracts: false }],
  ['dictionary-learning-topk', 'topk', { subtracts: true, hook: 'resid_post_layer_3' }],
  [
    'dictionary-learning-batchtopk',
    'batchtopk',
    { subtracts: true, threshold: [0.25, 0.25, 0.25, 0.25, 0.25], hook: 'resid_post_layer_3' },
  ],
  ['dictionary-learning-jumprelu', 'jumprelu', { subtracts: false, threshold }],
];

test.each(cases)(
  '%s is read as %s: latent-major, with its bias in our convention',
  async (name, architecture, expected) => {
    const weights = await importDictionary(fixture(name));
    expect(weights).toMatchObject({ architecture, latents, d, k: architecture.endsWith('topk') ? k : null });
    expect(weights.hook).toBe(expected.hook ?? null);
    close(weights.wEnc, wEnc);
    close(weights.wDec, wDec);
    close(weights.bDec, bDec);
    const ours = architecture !== 'jumprelu';
    const fold = Number(ours) - Number(expected.subtracts);
    close(
      weights.bEnc,
      bEnc.map((value, i) => value + fold * product[i]),
    );
    if (expected.threshold) close(weights.threshold ?? new Float32Array(), expected.threshold);
    else expect(weights.threshold).toBeNull();
  },
);

const known = (architecture: ArchitectureName): DictionaryWeights => ({
  architecture,
  latents,
  d,
  wEnc,
  wDec,
  bEnc,
  bDec,
  threshold:
    {
      jumprelu: threshold,
      gated: numbers(-1, latents),
      batchtopk: new Float32Array(latents).fill(-0.75),
      matryoshka: new Float32Array(latents).fill(0.5),
    }[architecture as string] ?? null,
  k: architecture.endsWith('topk') || architecture === 'matryoshka' ? k : null,
  ...(architecture === 'matryoshka' && { prefixes: [1, 3, latents] }),
  hook: 'blocks.0.hook_resid_post',
  model: 'toy',
});

/** With EXPORT_DIR set, the exports stay, for `formatFixtures.py check`. */
const exportRoot = process.env['EXPORT_DIR'] ?? (await mkdtemp(join(tmpdir(), 'lazyscope-export-')));
const architectures = ['relu', 'topk', 'jumprelu', 'batchtopk', 'gated', 'matryoshka'] as const;
const pairs = architectures.flatMap((architecture) =>
  dictionaryFormats.map((format) => [architecture, format] as const),
);
const impossible = new Set([
  'topk gemma-scope',
  'relu sparsify',
  'jumprelu sparsify',
  'batchtopk sparsify',
  'gated sparsify',
  'matryoshka sparsify',
]);
/** What has no place for how a dictionary was trained holds it as what it is at inference. */
const asJumpRelu = new Set([
  'relu gemma-scope',
  'batchtopk gemma-scope',
  'batchtopk saelens',
  'gated gemma-scope',
  'matryoshka gemma-scope',
  'matryoshka saelens',
]);

test.each(pairs)('%s survives export to %s, or is refused without a trace', async (architecture, format) => {
  const folder = join(exportRoot, architecture, format);
  if (impossible.has(`${architecture} ${format}`)) {
    await expect(exportDictionary(folder, format, known(architecture))).rejects.toMatchObject({
      code: 'bad_input',
    });
    await expect(readdir(folder)).rejects.toThrow();
    return;
  }
  await exportDictionary(folder, format, known(architecture));
  expect(dictionaryFormatOf(folder)).toBe(format);
  const back = await importDictionary(folder);
  if (asJumpRelu.has(`${architecture} ${format}`)) {
    expect(back.architecture).toBe('jumprelu');
    expect(back.threshold).toEqual(known(architecture).threshold ?? new Float32Array(latents));
    close(
      back.bEnc,
      bEnc.map((value, i) => value - product[i]),
    );
  } else {
    expect(back.architecture).toBe(architecture);
    expect(back.bEnc).toEqual(bEnc);
    // What has a gate holds θ as the difference of two biases.
    if (architecture === 'gated') close(back.threshold!, known(architecture).threshold!);
    else expect(back.threshold).toEqual(known(architecture).threshold);
    expect(back.k).toBe(known(architecture).k);
    expect(back.prefixes).toEqual(known(architecture).prefixes);
  }
  expect(back.wEnc).toEqual(wEnc);
  expect(back.wDec).toEqual(wDec);
  expect(back.bDec).toEqual(bDec);
});

test('an export to SAELens says where it is from, with the version without which SAELens drops that', async () => {
  const folder = join(exportRoot, 'origin');
  const text = { dataset: 'moby-dick', contextLength: 64, separatorFirst: true, firstPosition: 1 };
  await exportDictionary(folder, 'saelens', { ...known('topk'), model: 'EleutherAI/pythia-70m', text });
  const { metadata } = JSON.parse(await readFile(join(folder, 'cfg.json'), 'utf8'));
  expect(metadata).toEqual({
    sae_lens_version: expect.stringMatching(/^6\./),
    model_name: 'EleutherAI/pythia-70m',
    hook_name: 'blocks.0.hook_resid_post',
    dataset_path: 'moby-dick',
    context_size: 64,
    prepend_bos: true,
    seqpos_slice: [1, null],
  });
  expect(await importDictionary(folder)).toMatchObject({
    model: 'EleutherAI/pythia-70m',
    hook: 'blocks.0.hook_resid_post',
  });
});

test('a ReLU dictionary reconstructs the same after a trip through Gemma Scope’s JumpReLU', async () => {
  const folder = join(exportRoot, 'trip');
  const weights = known('relu');
  await exportDictionary(folder, 'gemma-scope', weights);
  const x = tf.tensor2d(numbers(0, 30), [10, 3]);
  const reconstruct = (read: DictionaryWeights) =>
    autoencoderFrom({
      ...read,
      metadata: {
        architecture: read.architecture,
        hook: '',
        model: '',
        run: '',
        seed: 0,
        scale: 1,
        k: read.k,
      },
    })
      .reconstruct(x)
      .dataSync<'float32'>();
  close(reconstruct(await importDictionary(folder)), reconstruct(weights));
});

test('square dictionaries are turned by the tool’s documented layout', async () => {
  const folder = join(exportRoot, 'square');
  const square = {
    ...known('relu'),
    latents: 3,
    wEnc: numbers(0, 9),
    wDec: numbers(1, 9),
    bEnc: numbers(2, 3),
  };
  for (const format of ['saelens', 'dictionary-learning'] as const) {
    await exportDictionary(join(folder, format), format, square);
    const back = await importDictionary(join(folder, format));
    expect(back.wEnc).toEqual(square.wEnc);
    expect(back.wDec).toEqual(square.wDec);
  }
});

async function copyOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-import-'));
  await cp(fixture(name), folder, { recursive: true });
  return folder;
}

test.each([
  ['gemma-scope', 'params.npz'],
  ['dictionary-learning-topk', 'ae.pt'],
  ['saelens-jumprelu', 'sae_weights.safetensors'],
])('%s cut short is corrupt and is named', async (name, file) => {
  const folder = await copyOf(name);
  const { length } = await readFile(join(folder, file));
  for (const size of [length - 30, length >> 1, 10]) {
    await truncate(join(folder, file), size);
    await expect(importDictionary(folder)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(file),
    });
  }
});

test.each([
  [{ architecture: 'temporal' }, /architecture 'temporal'/],
  [{ normalize_activations: 'batch_norm' }, /normalises activations/],
  [{ rescale_acts_by_decoder_norm: true }, /rescales activations/],
])('a SAELens configuration with %o is refused, not ignored', async (change, message) => {
  const folder = await copyOf('saelens-jumprelu');
  const config = JSON.parse(await readFile(join(folder, 'cfg.json'), 'utf8'));
  await writeFile(join(folder, 'cfg.json'), JSON.stringify({ ...config, ...change }));
  await expect(importDictionary(folder)).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringMatching(message),
  });
});

test('a pickle that names anything but tensors is refused and not run', async () => {
  const { zipSync } = await import('fflate');
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-pickle-'));
  const pickle = Buffer.from('\x80\x02cposix\nsystem\nX\x04\0\0\0echo\x85R.', 'latin1');
  await writeFile(join(folder, 'ae.pt'), zipSync({ 'ae/data.pkl': pickle }));
  await expect(importDictionary(folder)).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringContaining("'posix.system'"),
  });
});

test('a matrix that fits neither way round is corrupt, and what is no dictionary is bad_input', async () => {
  const path = join(exportRoot, 'misfit.npz');
  await writeNpz(path, {
    W_enc: { shape: [d, latents], data: wEnc },
    W_dec: { shape: [latents, d], data: wDec },
    b_enc: { shape: [latents], data: bEnc },
    b_dec: { shape: [4], data: numbers(3, 4) },
    threshold: { shape: [latents], data: threshold },
  });
  await expect(importDictionary(path)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/misfit.*wEnc is 3 × 5 where the biases ask for 5 × 4 or 4 × 5/),
  });
  const empty = await mkdtemp(join(tmpdir(), 'lazyscope-empty-'));
  expect(() => dictionaryFormatOf(empty)).toThrow(/holds no dictionary/);
  expect(() => dictionaryFormatOf(join(empty, 'none'))).toThrow(/does not exist/);
});
