import { describe, expect, test } from 'vitest';
import { parseModelConfig, toHuggingFaceConfig } from './readModelConfig.ts';

const llama = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  vocab_size: 512,
};
const gemma = { ...llama, model_type: 'gemma', architectures: undefined };
const bloom = { model_type: 'bloom', n_embed: 64, n_layer: 2, n_head: 4, vocab_size: 512 };
const gpt2 = { model_type: 'gpt2', n_embd: 64, n_layer: 2, n_head: 4, vocab_size: 512 };
const parse = (json: object) => parseModelConfig(json, 'config.json');

test('what a file leaves out is what transformers would take', () => {
  expect(parse(llama)).toMatchObject({
    family: 'llama', keyValueHeads: 8, headWidth: 8, contextLength: 2048, activation: 'silu', normEpsilon: 1e-6,
    gated: true, tiedEmbeddings: false, eosIds: [], norm: { kind: 'rms', bias: false }, normPlacement: 'before',
    biases: { queryKeyValue: false, attentionOutput: false, mlpIn: false, mlpOut: false },
  }); // prettier-ignore
  expect(parse(llama).attention[4]).toMatchObject({
    scale: 1 / Math.sqrt(8),
    rotary: { theta: 10_000, dims: 8, pairs: 'halves', factor: 1 },
  });
  expect(parse(gpt2)).toMatchObject({
    family: 'gpt2', neurons: 256, contextLength: 1024, activation: 'gelu_new', normEpsilon: 1e-5,
    gated: false, tiedEmbeddings: true, learnedPositions: { offset: 0 },
  }); // prettier-ignore
});

test('both spellings of the rotary base, several ends of text', () => {
  const theta = (json: object) => parse(json).attention[0].rotary?.theta;
  expect(theta({ ...llama, rope_parameters: { rope_type: 'default', rope_theta: 500 } })).toBe(500);
  expect(theta({ ...llama, rope_theta: 700, rope_scaling: null })).toBe(700);
  // Where both say one, the parameters' own holds, as in transformers (fixtures/families/llama.twoBases).
  expect(theta({ ...llama, rope_theta: 700, rope_parameters: { rope_theta: 500 } })).toBe(500);
  expect(parse({ ...llama, eos_token_id: [2, 5] })).toMatchObject({ eosIds: [2, 5] });
});

test('fields that change no number are passed over, and fields without a value', () => {
  const records = {
    torch_dtype: 'bfloat16',
    attention_dropout: 0.1,
    transformers_version: '4.1',
    use_cache: true,
  };
  expect(parse({ ...llama, ...records, surely_new: null })).toEqual(parse(llama));
  expect(parse({ ...gpt2, attn_pdrop: 0.1, summary_type: 'cls_index' })).toEqual(parse(gpt2));
});

test('written and read again, a configuration is the same', () => {
  for (const json of [
    {
      ...llama,
      num_key_value_heads: 2,
      head_dim: 10,
      attention_bias: true,
      rope_theta: 5e5,
      bos_token_id: 1,
    },
    { ...gpt2, n_inner: 40, activation_function: 'relu', eos_token_id: 3 },
  ])
    expect(parse(toHuggingFaceConfig(parse(json)))).toEqual(parse(json));
});

describe('refused by name', () => {
  test.each<[string, unknown, RegExp]>([
    ['a list', [], /not the config\.json of a language model/],
    ['another model type', { ...llama, model_type: 'mamba', architectures: undefined }, /architecture mamba/],
    [
      'another head',
      { ...llama, architectures: ['LlamaForSequenceClassification'] },
      /LlamaForSequenceClassification/,
    ],
    ['a missing size', { ...llama, hidden_size: undefined }, /wrong at 'hidden_size'/],
    ['a field nobody knows', { ...llama, surely_new: { in: 'v9' } }, /field 'surely_new'/],
    ['one that another family has', { ...gpt2, logit_scale: 0.5 }, /field 'logit_scale'/],
    ['one inside the rotary parameters', { ...llama, rope_scaling: { mscael: 1 } }, /rope_scaling.*mscael/],
    ['heads that were taken out', { ...gpt2, pruned_heads: { 0: [1] } }, /pruned_heads \{"0":\[1\]\}/],
    [
      'scaled rotary positions without a factor',
      { ...llama, rope_scaling: { rope_type: 'llama3' } },
      /rope_type 'llama3' without factor/,
    ],
    [
      'a scaling nobody knows',
      { ...llama, rope_parameters: { rope_type: 'spiral' } },
      /rotary positions of type 'spiral'/,
    ],
    ['partial rotation', { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor 0\.5/],
    [
      'attention in both directions',
      { ...gemma, use_bidirectional_attention: true },
      /use_bidirectional_attention/,
    ],
    [
      'residuals from behind the norm',
      { ...bloom, apply_residual_connection_post_layernorm: true },
      /apply_residual_connection_post_layernorm/,
    ],
    [
      'layer types that do not fit',
      { ...gemma, model_type: 'gemma2', layer_types: ['full_attention'] },
      /1 layer_types/,
    ],
    ['quantised weights', { ...llama, quantization_config: { bits: 4 } }, /quantization_config/],
    ['an unknown activation', { ...llama, hidden_act: 'gelu_10' }, /'gelu_10'/],
    ['heads that do not fit', { ...gpt2, n_head: 5 }, /5 attention heads do not divide/],
    ['groups that do not fit', { ...llama, num_key_value_heads: 3 }, /3 key-value heads do not divide/],
    ['odd heads', { ...llama, head_dim: 7 }, /odd width 7/],
    ['cross-attention', { ...gpt2, add_cross_attention: true }, /add_cross_attention/],
  ])('%s', (_, json, message) => {
    expect(() => parseModelConfig(json, 'config.json')).toThrow(
      expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(message) }),
    );
  });
});
