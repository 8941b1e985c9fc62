/** Which texts tokens get, by where the model is. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { capture } from '../../sae/activations/capture.ts';
import { toyLanguageModel } from '../../sae/fixtures/toyLanguageModel.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import { TokenTexts } from './tokenTexts.ts';

const root = await mkdtemp(join(tmpdir(), 'lazyscope-tokens-'));
afterAll(() => rm(root, { recursive: true }));
const models = join(import.meta.dirname, '..', '..', 'sae', 'models');
const newStore = async () => new StoreLayout(await mkdtemp(join(root, 'store-')));

function open(store: StoreLayout, folders: string[] = []) {
  const log: string[] = [];
  return { tokens: new TokenTexts(store, folders, (line) => log.push(line)), log };
}

test.each(['gguf/fixtures/gpt2.gguf', 'fixtures/tinyLlama'])(
  'the model’s own tokenizer reads them where it lies: %s',
  async (place) => {
    const path = join(models, place);
    const tokenizer = openModelFiles(path).tokenizer();
    const { tokens } = open(await newStore());
    const reader = tokens.of({ name: 'any name', folder: path });
    const ids = [3, 7, 11];
    expect(reader.texts(ids)).toEqual(ids.map((id) => ({ id, text: tokenizer.tokenText(id) })));
    expect(reader.find(tokenizer.tokenText(11).toUpperCase())).toContain(11);
    // An embedding may have more rows than the tokenizer has tokens.
    expect(reader.text(tokenizer.vocabularySize)).toBe(`#${tokenizer.vocabularySize}`);
  },
);

test('a model that has moved into the store is found by its name', async () => {
  const store = await newStore();
  await cp(join(models, 'fixtures', 'tinyLlama'), join(store.models(), 'tiny'), { recursive: true });
  const { tokens } = open(store, [store.models()]);
  expect(tokens.of({ name: 'tiny', folder: '/gone' }).text(5)).not.toBe('#5');
  expect(tokens.of({ name: 'other', folder: '/gone' }).text(5)).toBe('#5');
});

test('a capture keeps the texts, so that they outlive the model', async () => {
  const store = await newStore();
  const model = toyLanguageModel();
  const documents = ['abcdefgh'.repeat(12)];
  const text = { source: 'letters', documents, text: documents[0], sha256: 'a'.repeat(64) };
  const hooks = ['blocks.0.hook_resid_post'] as const;
  const manifest = await capture({ store, name: 'toy', model, text, hooks: [...hooks], contextLength: 16 });
  const reader = open(store).tokens.of({ ...manifest.model, folder: '/gone' });
  const ids = model.tokenizer.encode('cage');
  expect(reader.texts(ids).map(({ text: each }) => each)).toEqual(
    ids.map((id) => model.tokenizer.tokenText(id)),
  );
});

test('a damaged list of tokens is logged once and shows numbers', async () => {
  const store = await newStore();
  const sha256 = 'b'.repeat(64);
  await cp(join(models, 'fixtures', 'tinyLlama', 'config.json'), store.vocabulary(sha256), {
    recursive: true,
  });
  await writeFile(store.vocabulary(sha256), '["a", 7]');
  const { tokens, log } = open(store);
  const reference = { name: 'x', folder: '/gone', sha256 };
  for (let i = 0; i < 2; i++) expect(tokens.of(reference).text(0)).toBe('#0');
  expect(log).toEqual([expect.stringContaining(dirname(store.vocabulary(sha256)))]);
});
