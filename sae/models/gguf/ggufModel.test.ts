import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { sharedFile } from '../../fixtures/sharedFiles.ts';
import { tf } from '../../tensor/tf.ts';
import { meanCrossEntropy } from '../crossEntropy.ts';
import { generate } from '../generate.ts';
import { blockHook } from '../hookPoints.ts';
import type { HookPoint } from '../hookPoints.ts';
import { loadLanguageModel } from '../loadLanguageModel.ts';

beforeAll(async () => {
  await startBackend('auto');
});

const fixtures = join(import.meta.dirname, 'fixtures');
const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
};

interface TinyGolden {
  tokens: number[][];
  models: Record<
    string,
    { name: string; meanCrossEntropy: number; lastLogits: number[]; lastStates: number[][] }
  >;
}
const tiny = json(join(fixtures, 'golden.json')) as TinyGolden;

test.each(Object.entries(tiny.models))(
  '%s: states, logits and loss from the file are those of transformers',
  async (file, golden) => {
    const model = await loadLanguageModel(join(fixtures, `${file}.gguf`));
    expect(model.name).toBe(golden.name);
    const [batch, seq] = [2, 12];
    const tokens = tf.tensor2d(tiny.tokens, [batch, seq], 'int32');
    const states: HookPoint[] = [
      blockHook(0, 'hook_resid_pre'),
      ...Array.from({ length: model.config.layers - 1 }, (_, layer) => blockHook(layer, 'hook_resid_post')),
    ];
    const { logits, activations } = model.forward(tokens, { read: states });
    states.forEach((hook, i) => {
      const lastRow = activations.get(hook)!.slice([0, seq - 1, 0], [1, 1, -1]);
      expect(largestDifference(lastRow.dataSync(), golden.lastStates[i]), hook).toBeLessThan(1e-4);
    });
    const last = logits!.slice([0, seq - 1, 0], [batch, 1, -1]).dataSync();
    expect(largestDifference(last, golden.lastLogits)).toBeLessThan(1e-4);
    const loss = meanCrossEntropy(model, Int32Array.from(tiny.tokens.flat()), seq);
    expect(loss).toBeCloseTo(golden.meanCrossEntropy, 4);
    model.dispose();
  },
);

describe('a file that says what isn’t known', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-gguf-models-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  /** The fixture with a text of the header in another's place, of the same length. */
  const changed = (from: string, to: string) => {
    expect(to).toHaveLength(from.length);
    const bytes = readFileSync(join(fixtures, 'llama.gguf'));
    const at = bytes.indexOf(from);
    expect(at).toBeGreaterThan(0);
    bytes.write(to, at);
    const path = join(folder, 'changed.gguf');
    writeFileSync(path, bytes);
    return path;
  };

  test.each([
    [
      'of an architecture',
      'general.architecture\u0008\0\0\0\u0005\0\0\0\0\0\0\0llama',
      'general.architecture\u0008\0\0\0\u0005\0\0\0\0\0\0\0mamba',
      /architecture 'mamba'/,
    ],
    [
      'in a field of its architecture',
      'llama.vocab_size',
      'llama.vocab_sice',
      /field 'llama\.vocab_sice', which may change/,
    ],
    ['in a tensor', 'blk.1.ffn_norm', 'blk.1.ffn_nose', /tensor 'blk\.1\.ffn_nose\.weight'/],
    ['of how its tokenizer cuts words', 'gpt-2', 'gpt-9', /cuts words by 'gpt-9', and gpt-2, .* are known/],
  ])('%s is refused by name', async (_, from, to, message) => {
    const loading = loadLanguageModel(changed(from, to));
    await expect(loading).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(message),
    });
  });
});

interface SmolGolden {
  prompts: {
    text: string;
    ids: number[];
    crossEntropy: number;
    lastLogitsTop: [number, number][];
    residPost: Record<string, { norms: number[]; lastFirst8: number[] }>;
    greedyIds: number[];
    greedyText: string;
  }[];
}
const smol = sharedFile('models', 'smollm2-135m-instruct', 'SmolLM2-135M-Instruct.Q4_1.gguf');
const smolGolden = sharedFile('models', 'smollm2-135m-instruct', 'golden.json');

describe.skipIf(!smol || !smolGolden)(
  'SmolLM2-135M-Instruct in Q4_1, against transformers (needs ../shared/models)',
  () => {
    const load = () => loadLanguageModel(smol!);
    const { prompts } = smolGolden ? (json(smolGolden) as SmolGolden) : { prompts: [] };

    test('token ids, cross-entropy, logits, norms of the residual stream and greedy text', async () => {
      const model = await load();
      expect(model.name).toBe('Smollm2 135M 8k Lc100K Mix1 Ep2');
      expect(model.parameterCount()).toBe(134_515_008);
      for (const { text, ids, crossEntropy, lastLogitsTop, residPost, greedyIds, greedyText } of prompts) {
        expect(model.tokenizer.encode(text)).toEqual(ids);
        const hooks = Object.keys(residPost).map((layer) => blockHook(Number(layer), 'hook_resid_post'));
        const tokens = tf.tensor2d(ids, [1, ids.length], 'int32');
        const { logits, activations } = model.forward(tokens, { read: hooks });
        Object.values(residPost).forEach(({ norms, lastFirst8 }, i) => {
          const values = activations.get(hooks[i])!.dataSync();
          const { d } = model.config;
          norms.forEach((norm, position) => {
            const row = values.slice(position * d, (position + 1) * d);
            const actual = Math.sqrt(Float64Array.from(row).reduce((sum, x) => sum + x * x, 0));
            expect(actual / norm, `${hooks[i]} at ${position}`).toBeCloseTo(1, 4);
          });
          const last = values.slice((ids.length - 1) * d).slice(0, 8);
          expect(largestDifference(last, lastFirst8), hooks[i]).toBeLessThan(2e-3);
        });
        const all = logits!.dataSync();
        const last = all.slice(all.length - model.config.vocabularySize);
        for (const [id, logit] of lastLogitsTop) expect(last[id], String(id)).toBeCloseTo(logit, 3);
        expect(meanCrossEntropy(model, Int32Array.from(ids), ids.length)).toBeCloseTo(crossEntropy, 4);
        const written = await generate(model, text, { maxNewTokens: greedyIds.length - ids.length });
        // transformers keeps the end-of-text token, and its text, where the model stops.
        const ended = greedyIds.at(-1) === model.tokenizer.eosId;
        expect(written.tokens).toEqual(ended ? greedyIds.slice(0, -1) : greedyIds);
        expect(greedyText.replace(/<\|im_end\|>$/, '')).toBe(written.text);
        tf.dispose([tokens, logits!, ...activations.values()]);
      }
      model.dispose();
    }, 120_000);
  },
);
