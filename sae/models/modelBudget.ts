/**
 * How large a config.json may make a model. A description has an entry a layer, with the frequencies of a head in it, and a
 * shape for each matrix, all of which is made before any weight is looked at: a wrong digit would take all time and memory.
 */
import type { Refuse } from './families/family.ts';

/** Several times what the largest published models have. */
const most = { layers: 1024, headWidth: 16_384, expertsOfAllLayers: 1 << 16 };

const names = {
  layers: ['num_hidden_layers', 'num_layers', 'n_layer', 'n_layers'],
  width: ['hidden_size', 'n_embd', 'd_model'],
  heads: ['num_attention_heads', 'n_head', 'n_heads', 'num_heads'],
  headWidth: ['head_dim'],
  experts: ['num_local_experts', 'num_experts', 'n_routed_experts'],
};

/** Throws what `refuse` makes of a size beyond the budget. Sizes of the wrong type are the family's to refuse. */
export function refuseHuge(fields: Readonly<Record<string, unknown>>, refuse: Refuse): void {
  const read = (of: keyof typeof names) => {
    const values = names[of].map((name) => fields[name]).filter((value) => typeof value === 'number');
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const layers = read('layers') ?? 1;
  if (layers > most.layers)
    throw refuse(`claims ${layers} layers, where ${most.layers} are the most that is read`);
  const headWidth = read('headWidth') ?? (read('width') ?? 1) / (read('heads') ?? 1);
  if (headWidth > most.headWidth)
    throw refuse(`claims heads of width ${headWidth}, where ${most.headWidth} is the most that is read`);
  const experts = (read('experts') ?? 1) * layers;
  if (experts > most.expertsOfAllLayers)
    throw refuse(
      `claims ${experts} experts in all layers, where ${most.expertsOfAllLayers} are the most that is read`,
    );
}
