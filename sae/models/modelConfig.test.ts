import { describe, expect, test } from 'vitest';
import { parseModelConfig, toHuggingFaceConfig } from './modelConfig.ts';

const llama = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  vocab_size: 512,
};
const gpt2 = { model_type: 'gpt2', n_embd: 64, n_layer: 2, n_head: 4, vocab_size: 512 };
const parse = (json: object) => parseModelConfig(json, 'config.json');

test('what a file leaves out is what transformers would take', () => {
  expect(parse(llama)).toMatchObject({
    family: 'llama', keyValueHeads: 8, headWidth: 8, contextLength: 2048, activation: 'silu', normEpsilon: 1e-6,
    ropeTheta: 10_000, gated: true, tiedEmbeddings: false, attentionBias: false, mlpBias: false, eosIds: [],
  }); // prettier-ignore
  expect(parse(gpt2)).toMatchObject({
    family: 'gpt2', neurons: 256, contextLength: 1024, activation: 'gelu_new', normEpsilon: 1e-5,
    gated: false, tiedEmbeddings: true,
  }); // prettier-ignore
});

test('both spellings of the rotary base, several ends of text, unknown keys', () => {
  expect(parse({ ...llama, rope_parameters: { rope_type: 'default', rope_theta: 500 } })).toMatchObject({
    ropeTheta: 500,
  });
  expect(parse({ ...llama, rope_theta: 700, rope_scaling: null })).toMatchObject({ ropeTheta: 700 });
  expect(parse({ ...llama, eos_token_id: [2, 5], surely_new: { in: 'v9' } })).toMatchObject({
    eosIds: [2, 5],
  });
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
    [
      'another model type',
      { ...llama, model_type: 'mistral', architectures: undefined },
      /architecture mistral/,
    ],
    [
      'another head',
      { ...llama, architectures: ['LlamaForSequenceClassification'] },
      /LlamaForSequenceClassification/,
    ],
    ['a missing size', { ...llama, hidden_size: undefined }, /wrong at 'hidden_size'/],
    [
      'scaled rotary positions',
      { ...llama, rope_scaling: { rope_type: 'llama3' } },
      /rope_scaling of type 'llama3'/,
    ],
    [
      'the older spelling of that',
      { ...llama, rope_scaling: { type: 'linear' } },
      /rope_scaling of type 'linear'/,
    ],
    ['the newer', { ...llama, rope_parameters: { rope_type: 'yarn' } }, /rope_parameters of type 'yarn'/],
    ['partial rotation', { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor 0\.5/],
    ['quantised weights', { ...llama, quantization_config: { bits: 4 } }, /quantization_config/],
    ['an unknown activation', { ...llama, hidden_act: 'quick_gelu' }, /'quick_gelu'/],
    ['heads that do not fit', { ...gpt2, n_head: 5 }, /5 attention heads do not divide/],
    ['groups that do not fit', { ...llama, num_key_value_heads: 3 }, /3 key-value heads do not divide/],
    ['odd heads', { ...llama, head_dim: 7 }, /odd width 7/],
    ['unscaled attention', { ...gpt2, scale_attn_weights: false }, /scale_attn_weights/],
    ['attention scaled by layer', { ...gpt2, scale_attn_by_inverse_layer_idx: true }, /inverse_layer_idx/],
    ['cross-attention', { ...gpt2, add_cross_attention: true }, /add_cross_attention/],
  ])('%s', (_, json, message) => {
    expect(() => parseModelConfig(json, 'config.json')).toThrow(
      expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(message) }),
    );
  });
});
