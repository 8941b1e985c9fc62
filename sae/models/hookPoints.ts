/**
 * Hook points, spelled as TransformerLens spells them. A name is parsed once, at the door.
 *
 * mlp.hook_pre is what the activation function is applied to (the gate's product in a gated MLP), mlp.hook_post
 * what W_down reads (act(gate) ⊙ up). ln_final.hook_normalized is what the unembedding reads: after the final
 * norm's gain and bias.
 */
import { LazyscopeError } from '../errors.ts';

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
] as const;
const outside = ['hook_embed', 'ln_final.hook_normalized'] as const;
export type BlockHook = (typeof blockHooks)[number];
export type OuterHook = (typeof outside)[number];
export type HookPoint = `blocks.${number}.${BlockHook}` | OuterHook;

export function blockHook<H extends BlockHook>(layer: number, hook: H): `blocks.${number}.${H}` {
  return `blocks.${layer}.${hook}`;
}

/** The layer and the place of a hook point; `layer` is undefined for `hook_embed` and the final norm. */
export function parseHookPoint(
  name: string,
  layers?: number,
): { name: HookPoint; layer?: number; hook: BlockHook | OuterHook } {
  const outer = outside.find((o) => o === name);
  if (outer) return { name: outer, hook: outer };
  const match = /^blocks\.(\d+)\.(.+)$/.exec(name);
  const hook = match && blockHooks.find((h) => h === match[2]);
  if (!match || !hook)
    throw new LazyscopeError(
      'bad_input',
      `Unknown hook point '${name}': use blocks.{layer}.{${blockHooks.join('|')}}, ${outside.join(' or ')}.`,
    );
  const layer = Number(match[1]);
  if (layers !== undefined && layer >= layers)
    throw new LazyscopeError(
      'bad_input',
      `Hook point '${name}' names layer ${layer}, but the model has layers 0 to ${layers - 1}.`,
    );
  return { name: blockHook(layer, hook), layer, hook };
}
