/** The steering of one dictionary's latents as the same steering of their counterparts in another. */
import { storedCounterparts, type ComparisonSide } from '../comparison/storedCounterparts.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { Intervention } from './intervention.ts';

export interface CounterpartSteering {
  /** On the counterparts, with the same values. */
  interventions: Intervention[];
  /** For each latent asked about, its counterpart; null where the matching leaves it without one. */
  counterparts: { latent: number; counterpart: number | null; decoderCosine: number | null }[];
}

/** Latents without a counterpart are not steered. Throws as the reader of the comparison does. */
export async function counterpartSteering(
  store: StoreLayout,
  comparison: ComparisonSide,
  interventions: readonly Intervention[],
): Promise<CounterpartSteering> {
  const found = await storedCounterparts(store, comparison, interventions.map(({ latent }) => latent)); // prettier-ignore
  return {
    interventions: interventions.flatMap((one) => {
      const other = found.get(one.latent);
      return other ? [{ ...one, latent: other.latent }] : [];
    }),
    counterparts: interventions.map(({ latent }) => {
      const other = found.get(latent);
      return { latent, counterpart: other?.latent ?? null, decoderCosine: other?.decoderCosine ?? null };
    }),
  };
}
