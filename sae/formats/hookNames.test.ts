import { expect, test } from 'vitest';
import { hookPointFrom, isSameModel } from './hookNames.ts';

test.each([
  ['blocks.3.hook_resid_pre', 'blocks.3.hook_resid_pre'],
  ['ln_final.hook_normalized', 'ln_final.hook_normalized'],
  ['layers.1', 'blocks.1.hook_resid_post'],
  ['layers.12.mlp', 'blocks.12.hook_mlp_out'],
  ['h.0', 'blocks.0.hook_resid_post'],
  ['transformer.h.0.attn', 'blocks.0.hook_attn_out'],
  ['gpt_neox.layers.4.attention', 'blocks.4.hook_attn_out'],
  ['model.layers.7.output', 'blocks.7.hook_resid_post'],
  ['model.layers.7.self_attn.o_proj.input', 'blocks.7.attn.hook_z'],
  ['model.layers.7.post_feedforward_layernorm.output', 'blocks.7.hook_mlp_out'],
  ['embed_tokens', 'hook_embed'],
  ['gpt_neox.embed_in', 'hook_embed'],
  ['resid_post_layer_3', 'blocks.3.hook_resid_post'],
  ['attention_out_layer_0', 'blocks.0.hook_attn_out'],
  ['mlp_out_layer_2', 'blocks.2.hook_mlp_out'],
  ['layers.7.mlp.gate_proj', null],
  ['layers.7.input_layernorm', null],
  ['constructor_layer_1', null],
  ['layers.7.constructor', null],
  ['exported', null],
])('%s is %s', (name, hook) => {
  expect(hookPointFrom(name)).toBe(hook);
});

test('models are the same without their organisation, and under TransformerLens’s names', () => {
  expect(isSameModel('EleutherAI/pythia-70m', 'pythia-70m')).toBe(true);
  expect(isSameModel('gpt2-small', 'openai-community/gpt2')).toBe(true);
  expect(isSameModel('gemma-v3-1b-pt', 'google/gemma-3-1b-pt')).toBe(true);
  expect(isSameModel('EleutherAI/pythia-70m', 'EleutherAI/pythia-70m-deduped')).toBe(false);
  expect(isSameModel('gpt2', 'gpt2-medium')).toBe(false);
});
