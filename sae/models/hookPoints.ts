/**
 * Hook points, spelled as TransformerLens spells them. A name is parsed once, at the door.
 *
 * hook_embed is the embedding without learned positions, which are hook_pos_embed. mlp.hook_pre is what the activation
 * function is applied to (the gate's product in a gated MLP), mlp.hook_post what W_down reads (act(gate) ⊙ up).
 * In a mixture of experts the neurons of expert e of n each are e·n … e·n + n − 1 of both, and mlp.hook_post is times the
 * router's weight, 0 where the token does not go. hook_attn_out and hook_mlp_out are what is added to the residual stream: after a norm on the output and a multiplier.
 * Where norms come after the sum, hook_resid_mid and hook_resid_post are the sum. ln_final.hook_normalized is the
 * residual stream brought to size, before the final norm's gain and bias.
 *
 * An encoder adds hook_token_type_embed, hook_full_embed (the normed sum of the three embeddings, which the first block reads) and
 * hook_normalized_resid_post (the normed hook_resid_post, which the next block reads).
 *
 * A mixture of experts also has mlp.hook_expert_weights, the router's softmax over all experts, mlp.hook_expert_indices, the
 * experts that each token goes to, the heaviest first, and for each expert mlp.experts.E.hook_gate (what the activation function is applied
 * to), hook_pre (the other factor) and hook_post (act(gate) ⊙ up, before the router's weight). TransformerLens gives the rows that go to
 * the expert; here every row has its place, and those that don't go there are 0.
 */
import { LazyscopeError } from '../errors.ts';
import type { ModelConfig } from './modelConfig.ts';

/** Of one block, in forward order. */
export const blockHooks = [
  'hook_resid_pre',
  'attn.hook_pattern',
  'attn.hook_z',
  'hook_attn_out',
  'hook_resid_mid',
  'mlp.hook_pre',
  'mlp.hook_post',
  'hook_mlp_out',
  'hook_resid_post',
  'hook_normalized_resid_post',
] as const;
/** Of a block with a mixture of experts. */
const routerHooks = ['mlp.hook_expert_weights', 'mlp.hook_expert_indices'] as const;
const expertHooks = ['hook_gate', 'hook_pre', 'hook_post'] as const;
export type ExpertHook = (typeof expertHooks)[number];
const outside = [
  'hook_embed',
  'hook_pos_embed',
  'hook_token_type_embed',
  'hook_full_embed',
  'ln_final.hook_normalized',
] as const;
export type BlockHook =
  (typeof blockHooks)[number] | (typeof routerHooks)[number] | `mlp.experts.${number}.${ExpertHook}`;
export type OuterHook = (typeof outside)[number];
/** The name of a hook point as TransformerLens spells it, for example `blocks.2.hook_resid_post`. */
export type HookPoint = `blocks.${number}.${BlockHook}` | OuterHook;

export function blockHook<H extends BlockHook>(layer: number, hook: H): `blocks.${number}.${H}` {
  return `blocks.${layer}.${hook}`;
}

export function expertHook<H extends ExpertHook>(layer: number, expert: number, hook: H) {
  return blockHook(layer, `mlp.experts.${expert}.${hook}`);
}

/** The expert of a hook point of one of a mixture's; undefined for all others. */
export function expertOf(hook: string): { expert: number; hook: ExpertHook } | undefined {
  const match = /(?:^|\.)mlp\.experts\.(\d+)\.(.+)$/.exec(hook);
  const place = match && expertHooks.find((h) => h === match[2]);
  return match && place ? { expert: Number(match[1]), hook: place } : undefined;
}

function blockHookNamed(name: string): BlockHook | undefined {
  const known = [...blockHooks, ...routerHooks].find((h) => h === name);
  const ofExpert = known === undefined ? expertOf(name) : undefined;
  return ofExpert ? `mlp.experts.${ofExpert.expert}.${ofExpert.hook}` : known;
}

/** The layer and the place of a hook point; `layer` is undefined for embeddings and the final norm. */
export function parseHookPoint(
  name: string,
  layers?: number,
): { name: HookPoint; layer?: number; hook: BlockHook | OuterHook } {
  const outer = outside.find((o) => o === name);
  if (outer) return { name: outer, hook: outer };
  const match = /^blocks\.(\d+)\.(.+)$/.exec(name);
  const hook = match && blockHookNamed(match[2]);
  if (!match || !hook)
    throw new LazyscopeError(
      'bad_input',
      `Unknown hook point '${name}': use blocks.{layer}.{${blockHooks.join('|')}}, ${outside.join(', ')}.`,
    );
  const layer = Number(match[1]);
  if (layers !== undefined && layer >= layers)
    throw new LazyscopeError(
      'bad_input',
      `Hook point '${name}' names layer ${layer}, but the model has layers 0 to ${layers - 1}.`,
    );
  return { name: blockHook(layer, hook), layer, hook };
}

/** All that a model has, in forward order: what it lacks depends on where its norms and positions are. */
export function hookPointsOf(
  config: Pick<ModelConfig, 'layers' | 'parallel' | 'learnedPositions' | 'finalNorm' | 'experts' | 'encoder'>,
): HookPoint[] {
  const inBlock = blockHooks
    .filter((hook) => hook !== 'hook_resid_mid' || config.parallel === false)
    .filter((hook) => hook !== 'hook_normalized_resid_post' || config.encoder)
    .flatMap((hook) => [...mixtureHooksBefore(hook, config.experts?.count ?? 0), hook]);
  return [
    'hook_embed',
    ...(config.learnedPositions ? (['hook_pos_embed'] as const) : []),
    ...(config.encoder ? (['hook_token_type_embed', 'hook_full_embed'] as const) : []),
    ...Array.from({ length: config.layers }, (_, layer) =>
      inBlock.map((hook) => blockHook(layer, hook)),
    ).flat(),
    ...(config.finalNorm ? (['ln_final.hook_normalized'] as const) : []),
  ];
}

/** The hook points of a mixture's router and experts that a token passes just before this one. */
function mixtureHooksBefore(hook: BlockHook, experts: number): BlockHook[] {
  if (experts === 0) return [];
  const ofEach = (place: ExpertHook) =>
    Array.from({ length: experts }, (_, expert): BlockHook => `mlp.experts.${expert}.${place}`);
  if (hook === 'mlp.hook_pre') return [...routerHooks, ...ofEach('hook_gate')];
  if (hook === 'mlp.hook_post') return [...ofEach('hook_pre'), ...ofEach('hook_post')];
  return [];
}
