import type { Reproducibility } from '../../sae/spec/manifests/reproducibility.ts';
import type { reproducibilityTable } from '../../sae/spec/tables/reproducibility.ts';
import type { reproducibilityCurveTable } from '../../sae/spec/tables/reproducibilityCurve.ts';
import type { worthTable } from '../../sae/spec/tables/worth.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';

/** The reproducibility report of a run with its curve. */
export interface ReproducibilityDetail {
  report: Reproducibility;
  /** Shares of latents that come back against the threshold, and by chance. */
  curve: RowOf<typeof reproducibilityCurveTable>[];
  /** Whether a pair of seeds was compared again since, so that the report is no longer that of the store. */
  outdated: boolean;
}

/** One latent of it. */
export type LatentReproducibility = RowOf<typeof reproducibilityTable> & {
  /** What it alone is worth; null where that was not measured. */
  worth: RowOf<typeof worthTable> | null;
};
