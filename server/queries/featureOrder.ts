/** The order of the latents in a feature list, found once for each column and direction and kept as long as the columns are. */
import { stableOrder } from '../../sae/numerics/stableOrder.ts';
import type { SortOf } from '../../sae/spec/tables/table.ts';
import type { featureView } from '../../sae/spec/tables/features.ts';
import type { FeatureColumns } from './featureColumns.ts';

const orders = new WeakMap<FeatureColumns, Map<string, Int32Array>>();

/**
 * [latents]: all latents, by a column. Those without a value come last in either order; ties are broken by the larger maxActivation, then
 * by the number of the latent. `sharedWith` [latents] is what stability is a share of; undefined where nothing was compared.
 */
export function orderedLatents(
  columns: FeatureColumns,
  { sort, order }: { sort: SortOf<typeof featureView>; order: 'asc' | 'desc' },
  sharedWith: Int32Array | undefined,
): Int32Array {
  const kept = orders.get(columns) ?? new Map<string, Int32Array>();
  orders.set(columns, kept);
  const keptOr = (key: string, make: () => Int32Array) => {
    const found = kept.get(key) ?? make();
    kept.set(key, found);
    return found;
  };
  const byActivation = keptOr('ties', () => stableOrder(columns.latent, columns.maxActivation, 'desc'));
  if (sort === 'stability') return sharedWith ? bySeeds(byActivation, sharedWith, order) : byActivation;
  return keptOr(`${sort} ${order}`, () => stableOrder(byActivation, columns[sort], order));
}

/** By a small whole number, in one pass for each value: stability changes with every comparison and isn't kept. */
function bySeeds(latents: Int32Array, sharedWith: Int32Array, order: 'asc' | 'desc'): Int32Array {
  const values = [...new Set(sharedWith)].sort((a, b) => (order === 'asc' ? a - b : b - a));
  const result = new Int32Array(latents.length);
  let at = 0;
  for (const value of values)
    for (const latent of latents) if (sharedWith[latent] === value) result[at++] = latent;
  return result;
}
