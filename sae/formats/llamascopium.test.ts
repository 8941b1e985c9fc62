/** What of Llamascopium's files is told apart and refused. What is read is in packages.test.ts, beside what the package computes. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dictionaryFormatOf, importDictionary } from './importDictionary.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const root = join(import.meta.dirname, 'fixtures', 'packages');

/** A copy whose configuration is changed. */
async function changed(name: string, change: object, file = 'config.json'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-llamascopium-'));
  await cp(join(root, name), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, file), 'utf8'));
  await writeFile(join(folder, file), JSON.stringify({ ...config, ...change }));
  return folder;
}
const refused = (folder: string, message: RegExp, code = 'bad_input') =>
  expect(importDictionary(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

test('its folders and files are told from SAELens’s and Gemma Scope’s', () => {
  expect(dictionaryFormatOf(join(root, 'llamascopium-topk'))).toBe('llamascopium');
  expect(dictionaryFormatOf(join(root, 'llama-scope', 'checkpoints', 'final.safetensors'))).toBe(
    'llamascopium',
  );
  expect(dictionaryFormatOf(join(root, 'saelens-topk'))).toBe('saelens');
  expect(dictionaryFormatOf(join(root, 'gemma-scope-2'))).toBe('gemma-scope');
});

test('a file of weights stands for its folder', async () => {
  const folder = await importDictionary(join(root, 'llama-scope'));
  const file = await importDictionary(join(root, 'llama-scope', 'checkpoints', 'final.safetensors'));
  expect(file).toEqual(folder);
  expect(folder).toMatchObject({
    kind: 'Llamascopium jumprelu',
    hook: 'blocks.1.hook_resid_post',
    model: 'meta-llama/Llama-3.1-8B',
  });
});

test('transcoders say what they read and what they predict', async () => {
  expect(await importDictionary(join(root, 'llamascopium-transcoder'))).toMatchObject({
    kind: 'Llamascopium transcoder of topk',
    hook: 'blocks.1.ln2.hook_normalized',
    transcoder: { outputHook: 'blocks.1.hook_mlp_out', wSkip: null },
  });
});

test.each([
  ['batchtopk', { act_fn: 'batchtopk' }, /other tokens of a batch.*JumpReLU/],
  ['an unknown activation function', { act_fn: 'gelu' }, /'gelu'; relu, topk and jumprelu/],
  ['a crosscoder', { sae_type: 'crosscoder' }, /of type 'crosscoder'/],
  ['a gated linear unit', { use_glu_encoder: true }, /gated linear unit/],
  ['norms of a batch', { norm_activation: 'batch-wise' }, /batch-wise, which no fixed weights do/],
  ['another hook point, whose norm is not there', { hook_point_out: 'blocks.2.hook_mlp_out' }, /mean norm at 'blocks.2.hook_mlp_out'.*fold_activation_scale/],
  ['no width', { d_model: undefined }, /d_model/],
])('%s is refused by name', async (_, change, message) => {
  await refused(await changed('llamascopium-topk', change), message);
}); // prettier-ignore

test('tensors that nobody reads, and k beyond the latents, are refused', async () => {
  await refused(
    await changed('llamascopium-jumprelu', { act_fn: 'relu' }),
    /has no '.*log_jumprelu_threshold'/,
  );
  await refused(await changed('llamascopium-topk', { top_k: 99 }), /k is 99 with 12 latents/, 'corrupt');
  await refused(await changed('llamascopium-topk', { use_decoder_bias: false }), /has no 'b_D'/);
});

test('a distributed checkpoint is refused with the remedy', async () => {
  const folder = await changed('llamascopium-topk', {});
  await rm(join(folder, 'sae_weights.safetensors'));
  await mkdir(join(folder, 'sae_weights.dcp'));
  await refused(folder, /distributed checkpoint.*sae_weights\.safetensors/);
});

test('a latent without a decoder row never fires, as in the tool', async () => {
  const folder = await changed('llamascopium-jumprelu', {});
  const path = join(folder, 'sae_weights.safetensors');
  const file = await readSafetensors(path);
  const tensors = Object.fromEntries(
    file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
  );
  tensors.W_D.data.fill(0, 0, 6);
  await rename(path, `${path}.before`);
  await writeSafetensors(path, tensors);
  const { threshold } = await importDictionary(folder);
  expect(threshold![0]).toBe(Math.fround(3.4028234663852886e38));
  expect(threshold![1]).toBeLessThan(100);
});
