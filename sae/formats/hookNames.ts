/**
 * Where in a language model a dictionary was trained, from other tools' spellings into this product's (see
 * sae/models/hookPoints.ts): TransformerLens's names, which are the same; module paths of Hugging Face models, as
 * sparsify and Gemma Scope 2 have them, which stand for the module's output; and dictionary_learning's.
 */

/** The part of a block by the name that models give its module; what a module's path stands for is its output. */
const modules: Readonly<Record<string, string>> = {
  mlp: 'hook_mlp_out',
  feed_forward: 'hook_mlp_out',
  attn: 'hook_attn_out',
  attention: 'hook_attn_out',
  self_attn: 'hook_attn_out',
  // Of Gemma 2 and 3, where the norm is part of what is added to the residual stream.
  post_feedforward_layernorm: 'hook_mlp_out',
};
const embeddings = new Set(['embed_tokens', 'embed_in', 'wte', 'word_embeddings', 'hook_embed']);
const residualPlaces: Readonly<Record<string, string>> = {
  resid_pre: 'hook_resid_pre',
  resid_mid: 'hook_resid_mid',
  resid_post: 'hook_resid_post',
  mlp_out: 'hook_mlp_out',
  attn_out: 'hook_attn_out',
  attention_out: 'hook_attn_out',
};

/** Null for a name of which nothing is known. */
export function hookPointFrom(name: string): string | null {
  if (/^(blocks\.\d+\.|hook_|ln_final\.)/.test(name)) return name;
  const place = /^([a-z_]+)_layer_(\d+)$/.exec(name);
  if (place && Object.hasOwn(residualPlaces, place[1]))
    return `blocks.${place[2]}.${residualPlaces[place[1]]}`;
  const path = name.replace(/^(model|transformer|gpt_neox|language_model)\./, '').replace(/\.output$/, '');
  if (path !== name) return hookPointFrom(path);
  if (embeddings.has(path)) return 'hook_embed';
  const block = /^(?:layers|layer|h|blocks|decoder\.layers)\.(\d+)(?:\.(.+))?$/.exec(path);
  if (!block) return null;
  const [, layer, part] = block;
  if (part === undefined) return `blocks.${layer}.hook_resid_post`;
  // What the last product of attention reads are the heads' outputs side by side.
  if (part === 'self_attn.o_proj.input') return `blocks.${layer}.attn.hook_z`;
  return Object.hasOwn(modules, part) ? `blocks.${layer}.${modules[part]}` : null;
}

/** Whether two names are of one language model: without the organisation, and under TransformerLens's names. */
export function isSameModel(a: string, b: string): boolean {
  return plainName(a) === plainName(b);
}

function plainName(model: string): string {
  const name = (model.split('/').at(-1) ?? model).toLowerCase().replaceAll('_', '-');
  return name === 'gpt2-small'
    ? 'gpt2'
    : name.replace(/^gemma-v(\d)/, 'gemma-$1').replace(/^(gemma-.*)-pt$/, '$1');
}
