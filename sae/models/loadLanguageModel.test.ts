import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import { withFamilyFolder, withFamilyModel } from '../fixtures/familyFixtures.ts';
import { tf } from '../tensor/tf.ts';
import { meanCrossEntropy } from './crossEntropy.ts';
import { generate } from './generate.ts';
import { blockHook } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';
import { loadLanguageModel } from './loadLanguageModel.ts';

beforeAll(async () => {
  await startBackend('auto');
});

const fixtures = join(import.meta.dirname, 'fixtures');
const stories = '../shared/models/stories260K';
const here = existsSync(stories);

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
};

interface StoriesGolden {
  prompt: string;
  prompt_ids: number[];
  greedy_ids: number[];
  expected_text: string;
  mean_next_token_nll: number;
  activations: Record<HookPoint, { shape: number[]; l2: number; first8_of_last_token: number[] }>;
  logits_last_token_first16: number[];
}

describe.skipIf(!here)('stories260K, a Llama with an external golden (needs ../shared/models)', () => {
  const golden = here ? (json(`${stories}/golden.json`) as StoriesGolden) : undefined;

  test('activations, logits and loss agree with float64 to 1e-4', async () => {
    const { activations: expected, greedy_ids, logits_last_token_first16, mean_next_token_nll } = golden!;
    const model = await loadLanguageModel(stories);
    const hooks = Object.keys(expected) as HookPoint[];
    const tokens = tf.tensor2d(greedy_ids, [1, greedy_ids.length], 'int32');
    const { logits, activations } = model.forward(tokens, { read: hooks });
    for (const hook of hooks) {
      const { shape, l2, first8_of_last_token } = expected[hook];
      const activation = activations.get(hook)!;
      expect(activation.shape).toEqual([1, ...shape]);
      const values = Float64Array.from(activation.dataSync());
      expect(Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)) / l2, hook).toBeCloseTo(1, 5);
      const last = values.slice(values.length - shape[1]).slice(0, 8);
      expect(largestDifference(last, first8_of_last_token), hook).toBeLessThan(1e-4);
    }
    const all = logits!.dataSync();
    const last = all.slice(all.length - model.config.vocabularySize).slice(0, 16);
    expect(largestDifference(last, logits_last_token_first16)).toBeLessThan(1e-4);
    const loss = meanCrossEntropy(model, Int32Array.from(greedy_ids), greedy_ids.length);
    expect(loss).toBeCloseTo(mean_next_token_nll, 5);
    tf.dispose([tokens, logits!, ...activations.values()]);
    model.dispose();
  });

  test('its tokenizer and greedy generation give the 464 characters to the letter', async () => {
    const { prompt, prompt_ids, greedy_ids, expected_text } = golden!;
    const model = await loadLanguageModel(stories);
    expect(model.tokenizer.encode(prompt)).toEqual(prompt_ids);
    const streamed: string[] = [];
    const { text, tokens } = await generate(model, prompt, {
      maxNewTokens: greedy_ids.length - prompt_ids.length,
      onToken: (_, piece) => streamed.push(piece),
    });
    expect(text).toBe(expected_text);
    expect(text).toHaveLength(464);
    expect(tokens).toEqual(greedy_ids);
    expect(prompt + streamed.join('')).toBe(expected_text);
    model.dispose();
  });
});

/** What the stored gain and bias of the final norm make of entry i of [..., d]. */
async function finalNorm(folder: string) {
  const tensors = new Map<string, Float32Array>();
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.safetensors'))) {
    const stored = await readSafetensors(join(folder, file));
    for (const name of stored.names)
      if (/(ln_f|model\.norm)\.(weight|bias)$/.test(name))
        tensors.set(name.split('.').at(-1)!, stored.float32(name));
  }
  const gain = tensors.get('weight')!;
  const bias = tensors.get('bias');
  return {
    finalGain: (x: number, i: number) => x * gain[i % gain.length] + (bias?.[i % gain.length] ?? 0),
  };
}

interface TransformersGolden {
  tokens: number[][];
  meanCrossEntropy: number;
  hiddenStates: number[][];
  pattern: number[];
  lastLogits: number[];
  greedy: number[];
}

describe.each([
  ['tinyGpt2', 'GPT-2 with random gains and biases'],
  ['tinyLlama', 'Llama with grouped-query attention, biases, its own head width, bfloat16 in shards'],
])('%s: %s, against transformers in float64', (name) => {
  test('hidden states, attention pattern, logits, loss and greedy continuation', async () => {
    const golden = json(join(fixtures, name, 'golden.json')) as TransformersGolden;
    const before = tf.memory().numTensors;
    const model = await loadLanguageModel(join(fixtures, name));
    const { layers, contextLength } = model.config;
    const tokens = tf.tensor2d(golden.tokens, [2, 12], 'int32');
    const states: HookPoint[] = [
      blockHook(0, 'hook_resid_pre'),
      ...Array.from({ length: layers - 1 }, (_, layer) => blockHook(layer, 'hook_resid_post')),
      'ln_final.hook_normalized',
    ];
    const pattern = blockHook(layers - 1, 'attn.hook_pattern');
    const { logits, activations } = model.forward(tokens, { read: [...states, pattern] });
    const read = (hook: HookPoint) => activations.get(hook)!.dataSync();
    const { finalGain } = await finalNorm(join(fixtures, name));
    states.forEach((hook, i) => {
      const actual = read(hook);
      // transformers' last hidden state is behind the gain and bias, the hook point before them.
      const compared = hook === 'ln_final.hook_normalized' ? actual.map(finalGain) : actual;
      expect(largestDifference(compared, golden.hiddenStates[i]), hook).toBeLessThan(1e-4);
    });
    expect(largestDifference(read(pattern), golden.pattern)).toBeLessThan(1e-5);
    const last = tf.tidy(() => logits!.slice([0, 11, 0], [2, 1, -1]).dataSync());
    expect(largestDifference(last, golden.lastLogits)).toBeLessThan(1e-4);
    const ids = Int32Array.from(golden.tokens.flat());
    expect(meanCrossEntropy(model, ids, 12)).toBeCloseTo(golden.meanCrossEntropy, 4);
    expect(contextLength).toBe(32);

    let greedy = golden.greedy.slice(0, 4);
    while (greedy.length < golden.greedy.length) {
      const next = tf.tidy(() => {
        const { logits: all } = model.forward(tf.tensor2d([greedy], undefined, 'int32'));
        return all!.argMax(-1).dataSync()[greedy.length - 1];
      });
      greedy = [...greedy, next];
    }
    expect(greedy).toEqual(golden.greedy);

    tf.dispose([tokens, logits!, ...activations.values()]);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a folder saved from the bare decoder', () => {
  const bare = async (name: string, architecture: string, prefix: RegExp) =>
    withFamilyFolder(name, async (folder) => {
      const path = join(folder, 'model.safetensors');
      const file = await readSafetensors(path);
      const tensors = Object.fromEntries(
        file.names
          .filter((stored) => stored !== 'lm_head.weight')
          .map((stored) => [
            stored.replace(prefix, ''),
            { shape: file.shape(stored), data: file.float32(stored) },
          ]),
      );
      await writeSafetensors(path, tensors);
      const config = json(join(folder, 'config.json')) as object;
      writeFileSync(
        join(folder, 'config.json'),
        JSON.stringify({ ...config, architectures: [architecture] }),
      );
      const model = await loadLanguageModel(folder);
      const tokens = tf.tensor2d([[3, 4, 5]], undefined, 'int32');
      const logits = tf.tidy(() => model.forward(tokens).logits!.dataSync());
      tokens.dispose();
      model.dispose();
      return logits;
    });

  test.each([
    ['qwen2.wide', 'Qwen2Model', /^model\./],
    ['gpt2', 'GPT2Model', /^transformer\./],
    ['opt', 'OPTModel', /^model\./],
    ['bloom', 'BloomModel', /^transformer\./],
  ])('%s gives the logits of the whole model', async (name, architecture, prefix) => {
    const logits = await bare(name, architecture, prefix);
    await withFamilyModel(name, async (model) => {
      const tokens = tf.tensor2d([[3, 4, 5]], undefined, 'int32');
      expect(tf.tidy(() => model.forward(tokens).logits!.dataSync())).toEqual(logits);
      tokens.dispose();
    });
  });

  test('without an unembedding of its own it says so', async () => {
    await expect(bare('llama', 'LlamaModel', /^model\./)).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(/bare decoder and lack the unembedding 'lm_head\.weight'/),
    });
  });
});

describe('a folder that is not what it should be', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lazyscope-models-'));
    cpSync(join(fixtures, 'tinyGpt2'), folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const edit = (changes: Record<string, unknown>) => {
    const config = json(join(folder, 'config.json')) as Record<string, unknown>;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...changes }));
  };
  const weights = () => join(folder, 'model.safetensors');
  const rewrite = async (
    change: (tensors: Record<string, { shape: number[]; data: Float32Array }>) => void,
  ) => {
    const file = await readSafetensors(weights());
    const tensors = Object.fromEntries(
      file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
    );
    change(tensors);
    await writeSafetensors(weights(), tensors);
  };
  const code = (code: string, message: RegExp) =>
    expect(loadLanguageModel(folder)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });

  test.each(['config.json', 'tokenizer.json', 'model.safetensors'])('without %s', async (name) => {
    rmSync(join(folder, name));
    await code('not_found', new RegExp(name.replace('.', '\\.')));
  });

  test('of another architecture', async () => {
    edit({ model_type: 'mamba', architectures: ['MambaForCausalLM'] });
    await code('bad_input', /MambaForCausalLM; only .*GPT2LMHeadModel.*LlamaForCausalLM/);
  });

  test('with truncated weights', async () => {
    truncateSync(weights(), 20_000);
    await code('corrupt', /model\.safetensors/);
  });

  test('with a tensor missing', async () => {
    await rewrite((tensors) => delete tensors['transformer.h.1.mlp.c_fc.weight']);
    await code('bad_input', /lack 'transformer\.h\.1\.mlp\.c_fc\.weight'/);
  });

  test('with a tensor too many', async () => {
    await rewrite((tensors) => {
      tensors['transformer.h.7.ln_1.bias'] = { shape: [1], data: Float32Array.of(0) };
    });
    await code('bad_input', /'transformer\.h\.7\.ln_1\.bias'/);
  });

  test('with a tensor of another shape', async () => {
    edit({ n_positions: 64 });
    await code('bad_input', /'transformer\.wpe\.weight'.*\[32, 16\].*\[64, 16\]/);
  });

  test('with a tokenizer larger than the model', async () => {
    edit({ vocab_size: 300 });
    await code('bad_input', /320 tokens, its model only 300/);
  });

  test('with an unembedding that is said to be the embedding and is not', async () => {
    const other = new Float32Array(320 * 16).fill(0.5);
    await rewrite((tensors) => (tensors['lm_head.weight'] = { shape: [320, 16], data: other }));
    await code(
      'bad_input',
      /'lm_head\.weight' that differs from 'transformer\.wte\.weight'.*tie_word_embeddings/,
    );
    // The remedy works.
    edit({ tie_word_embeddings: false });
    const model = await loadLanguageModel(folder);
    tf.tidy(() => {
      const tokens = tf.tensor2d([[3]], undefined, 'int32');
      const values = model.forward(tokens).logits!.dataSync();
      expect(Math.max(...values) - Math.min(...values)).toBeLessThan(1e-4);
    });
    model.dispose();
  });

  test('with an unembedding that repeats the embedding it loads', async () => {
    await rewrite((tensors) => (tensors['lm_head.weight'] = tensors['transformer.wte.weight']));
    (await loadLanguageModel(folder)).dispose();
  });

  test('saved from the bare decoder, with mask buffers, it still loads', async () => {
    await rewrite((tensors) => {
      for (const [name, tensor] of Object.entries(tensors)) {
        delete tensors[name];
        tensors[name.replace('transformer.', '')] = tensor;
      }
      tensors['h.0.attn.bias'] = { shape: [1, 1, 2, 2], data: Float32Array.of(1, 0, 1, 1) };
    });
    (await loadLanguageModel(folder)).dispose();
  });
});
