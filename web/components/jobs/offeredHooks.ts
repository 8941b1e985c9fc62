/** By layer, the one that is mostly captured first. Of these a model has what suits where its norms and its MLP stand. */
const kinds = [
  'hook_resid_post',
  'hook_normalized_resid_post',
  'hook_resid_mid',
  'hook_mlp_out',
  'hook_attn_out',
  'mlp.hook_post',
];

/** The hook points that a form suggests: the usual ones of each layer, as far as the model has them. */
export function offeredHooks(model: { layers: number; hookPoints: readonly string[] } | undefined): string[] {
  if (!model) return [];
  return Array.from({ length: model.layers }, (_, layer) =>
    kinds.map((kind) => `blocks.${layer}.${kind}`).filter((hook) => model.hookPoints.includes(hook)),
  ).flat();
}
