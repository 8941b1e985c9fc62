import {
  cpSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { writePytorchFile } from '../formats/writePytorchFile.ts';
import { tf } from '../tensor/tf.ts';
import { folderWeights } from './folderWeights.ts';
import { inspectModel } from './inspectModel.ts';
import { loadLanguageModel } from './loadLanguageModel.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const scratch = mkdtempSync(join(tmpdir(), 'lazyscope-weights-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let backend = '';
beforeAll(async () => {
  backend = (await startBackend('auto')).name;
});

/** A model's folder without its weights. */
function folderOf(fixture: string, name: string): string {
  const folder = join(scratch, name);
  cpSync(join(fixtures, fixture), folder, {
    recursive: true,
    filter: (path) => !basename(path).startsWith('model'),
  });
  return folder;
}
async function tensorsOf(folder: string) {
  const files = await folderWeights(folder);
  return Object.fromEntries(
    files.flatMap((file) =>
      file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
    ),
  );
}
async function logitsOf(folder: string) {
  const model = await loadLanguageModel(folder);
  const logits = tf.tidy(() =>
    model.forward(tf.tensor2d([[5, 17, 301]], undefined, 'int32')).logits!.dataSync(),
  );
  model.dispose();
  return Array.from(logits);
}

describe('weights that torch.save wrote give the same logits as safetensors', () => {
  test('pytorch_model.bin', async () => {
    const folder = folderOf('tinyGpt2', 'one-file');
    await writePytorchFile(join(folder, 'pytorch_model.bin'), await tensorsOf(join(fixtures, 'tinyGpt2')));
    expect(await logitsOf(folder)).toEqual(await logitsOf(join(fixtures, 'tinyGpt2')));
  });

  test('shards of it, named by pytorch_model.bin.index.json', async () => {
    const folder = folderOf('tinyGpt2', 'shards');
    const tensors = Object.entries(await tensorsOf(join(fixtures, 'tinyGpt2')));
    const weight_map: Record<string, string> = {};
    for (const [i, part] of [tensors.slice(0, 9), tensors.slice(9)].entries()) {
      const file = `pytorch_model-0000${i + 1}-of-00002.bin`;
      await writePytorchFile(join(folder, file), Object.fromEntries(part));
      for (const [name] of part) weight_map[name] = file;
    }
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify({ metadata: {}, weight_map }));
    expect(await logitsOf(folder)).toEqual(await logitsOf(join(fixtures, 'tinyGpt2')));
  });
});

/** Llama 3's 8 billion parameters in bfloat16: real headers and index, and holes in the files where numbers would be. */
function writeLargeModel(folder: string): void {
  const config = JSON.parse(readFileSync(join(fixtures, 'tinyLlama', 'config.json'), 'utf8')) as object;
  const [d, layers, neurons, vocabulary] = [4096, 32, 14_336, 128_256];
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      ...config,
      hidden_size: d,
      num_hidden_layers: layers,
      intermediate_size: neurons,
      vocab_size: vocabulary,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 128,
      max_position_embeddings: 8192,
      attention_bias: false,
      mlp_bias: false,
      hidden_act: 'silu',
    }),
  );
  const weight_map: Record<string, string> = {};
  const write = (shard: number, shapes: Record<string, number[]>) => {
    const file = `model-0000${shard}-of-00005.safetensors`;
    const header: Record<string, object> = {};
    let at = 0;
    for (const [name, shape] of Object.entries(shapes)) {
      const end = at + 2 * shape.reduce((product, n) => product * n, 1);
      header[name] = { dtype: 'BF16', shape, data_offsets: [at, end] };
      weight_map[name] = file;
      at = end;
    }
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const fd = openSync(join(folder, file), 'w');
    writeSync(fd, Buffer.concat([length, json]));
    ftruncateSync(fd, 8 + json.length + at);
    closeSync(fd);
  };
  for (let shard = 1; shard <= 4; shard++) {
    const shapes: Record<string, number[]> = {};
    for (let layer = (shard - 1) * 8; layer < shard * 8; layer++) {
      const block = `model.layers.${layer}`;
      for (const norm of ['input_layernorm', 'post_attention_layernorm'])
        shapes[`${block}.${norm}.weight`] = [d];
      for (const name of ['q_proj', 'o_proj']) shapes[`${block}.self_attn.${name}.weight`] = [d, d];
      for (const name of ['k_proj', 'v_proj']) shapes[`${block}.self_attn.${name}.weight`] = [1024, d];
      for (const name of ['gate_proj', 'up_proj']) shapes[`${block}.mlp.${name}.weight`] = [neurons, d];
      shapes[`${block}.mlp.down_proj.weight`] = [d, neurons];
    }
    write(shard, shapes);
  }
  write(5, {
    'model.embed_tokens.weight': [vocabulary, d],
    'lm_head.weight': [vocabulary, d],
    'model.norm.weight': [d],
  });
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
}

describe('a folder of 8 billion parameters', () => {
  const folder = join(scratch, 'large');
  beforeAll(() => {
    cpSync(join(fixtures, 'tinyLlama'), folder, {
      recursive: true,
      filter: (path) => !basename(path).startsWith('model'),
    });
    writeLargeModel(folder);
  });

  test('is described from its headers', async () => {
    const bytes = [1, 2, 3, 4, 5]
      .map((shard) => statSync(join(folder, `model-0000${shard}-of-00005.safetensors`)).size)
      .reduce((a, b) => a + b);
    expect(bytes).toBeGreaterThan(16e9);
    const started = performance.now();
    const { problems, parameters, dtypes, contextLength, hookPoints } = await inspectModel(folder);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(problems).toEqual([]);
    expect(parameters).toBe(8_030_261_248);
    expect(dtypes).toEqual(['BF16']);
    expect(contextLength).toBe(8192);
    expect(hookPoints).toContain('blocks.31.hook_resid_post');
  });

  test('opens in seconds on native, without a weight being read; one layer runs', async (context) => {
    if (backend !== 'native') context.skip('only native keeps weights in the format of their file');
    const started = performance.now();
    const before = process.memoryUsage.rss();
    const model = await loadLanguageModel(folder);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(300e6);
    expect(model.parameterCount()).toBe(8_030_261_248);
    const { activations } = model.forward(tf.tensor2d([[5, 17, 301]], undefined, 'int32'), {
      read: ['hook_embed'],
      readOnly: true,
    });
    expect(activations.get('hook_embed')!.shape).toEqual([1, 3, 4096]);
    model.dispose();
  });
});

test('safetensors are preferred where both are there', async () => {
  const folder = join(scratch, 'both');
  cpSync(join(fixtures, 'tinyGpt2'), folder, { recursive: true });
  writeFileSync(join(folder, 'pytorch_model.bin'), 'not read');
  expect((await folderWeights(folder)).map(({ path }) => path)).toEqual([
    (await readSafetensors(join(folder, 'model.safetensors'))).path,
  ]);
});
