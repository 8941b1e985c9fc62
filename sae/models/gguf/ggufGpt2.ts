/** GPT-2: the converter stores Conv1D weights as those of linear layers, [out, in]. */
import { planByName } from './ggufArchitecture.ts';
import type { GgufArchitecture, TensorPlan } from './ggufArchitecture.ts';
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';

const names = {
  token_embd: 'transformer.wte',
  position_embd: 'transformer.wpe',
  output_norm: 'transformer.ln_f',
  output: 'lm_head',
  'blk.{}.attn_norm': 'transformer.h.{}.ln_1',
  'blk.{}.attn_qkv': 'transformer.h.{}.attn.c_attn',
  'blk.{}.attn_output': 'transformer.h.{}.attn.c_proj',
  'blk.{}.ffn_norm': 'transformer.h.{}.ln_2',
  'blk.{}.ffn_up': 'transformer.h.{}.mlp.c_fc',
  'blk.{}.ffn_down': 'transformer.h.{}.mlp.c_proj',
};

export const ggufGpt2: GgufArchitecture = {
  modelType: 'gpt2',
  harmless: [],
  config: (fields, file) => ({
    architectures: ['GPT2LMHeadModel'],
    n_embd: fields.number(fields.own('embedding_length')),
    n_inner: fields.number(fields.own('feed_forward_length')),
    n_layer: fields.number(fields.own('block_count')),
    n_head: fields.number(fields.own('attention.head_count')),
    n_positions: fields.number(fields.own('context_length')),
    layer_norm_epsilon: fields.number(fields.own('attention.layer_norm_epsilon')),
    activation_function: 'gelu_new',
    tie_word_embeddings: !file.has('output.weight'),
  }),
  weights: (fields, file) =>
    planByName(fields, file, names, (stored, name) =>
      /\.c_(attn|proj|fc)\.weight$/.test(name) ? transposed(file, stored) : {},
    ),
};

function transposed(file: GgufFile, stored: string): Partial<TensorPlan> {
  const [rows, columns] = file.shape(stored);
  return {
    shape: [columns, rows],
    change: (values) => {
      const out = new Float32Array(values.length);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
      return out;
    },
  };
}
