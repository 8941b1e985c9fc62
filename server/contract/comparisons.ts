import { z } from 'zod';
import { storeName } from './limits.ts';
import { orphanSorts } from '../../sae/spec/tables/features.ts';
import { matchView } from '../../sae/spec/tables/matches.ts';
import type { sharedCurveTable } from '../../sae/spec/tables/sharedCurve.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { FeatureRow } from './features.ts';
import { dictionaryInput, pageFields } from './tokens.ts';
import type { Page, TokenText } from './tokens.ts';

/** A comparison with its curve and measures. */
export interface ComparisonDetail {
  manifest: ComparisonManifest;
  /** Whether the comparison has a map (`lazyscope map`). */
  mapped: boolean;
  /** Shared fractions at thresholds from 0 to 1 in steps of 0.01. */
  curve: RowOf<typeof sharedCurveTable>[];
  /**
   * Of a comparison that was made without chance: what isotropic directions would show, by the exact law. `nearestChance` of the curve is then
   * theirs. Null where the comparison says itself, or the run of `a` is gone.
   */
  isotropicChance: { mmcs: number } | null;
}

export const matchListInput = z.object({
  name: storeName,
  sort: z.enum(sortsOf(matchView)).default('decoderCosine'),
  ...pageFields,
  shared: z.boolean().optional(),
  /** Both cosines of a shared pair are at least this; by default what the comparison was made with. */
  threshold: z.number().min(0).max(1).optional(),
  /** Bounds on the decoder cosine of the matched pair. */
  minCosine: z.number().min(-1).max(1).optional(),
  maxCosine: z.number().min(-1).max(1).optional(),
});
export type MatchListInput = z.infer<typeof matchListInput>;

/** One latent of `a`; the `…B` fields describe its counterpart in the decoder matching. */
export interface MatchRow extends Omit<
  RowOf<typeof matchView>,
  'decoderMatch' | 'encoderMatch' | 'promotedA' | 'promotedB'
> {
  /** The counterpart in b by the decoder matching; null where there is none. */
  decoderMatch: number | null;
  encoderMatch: number | null;
  labelA: string | null;
  labelB: string | null;
  promotedA: TokenText[];
  promotedB: TokenText[];
}

export const stabilityInput = z.object({ runName: storeName });

export interface StabilityTrend {
  /** Spearman's ρ; null where one of the two does not vary. */
  rankCorrelation: number | null;
  /** Tenths of the latents in ascending order of the quantity: how many, the quantity's median, mean stability, and share of orphans. */
  groups: { latents: number; at: number; stability: number; orphans: number }[];
}

/** The stability of the latents of one run, over the comparisons of its seeds. */
export interface Stability {
  runName: string;
  /** Seeds of the run that take part: those compared with at least one other. */
  seeds: number[];
  /** Pairs of seeds compared. */
  pairs: { comparison: string; a: number; b: number; shared: number; mmcs: number }[];
  threshold: number | null;
  /** Latents of all seeds by the share of other seeds in which they are shared. */
  histogram: { stability: number; latents: number }[];
  /** How stability varies with density and with largest activation over all live latents; /api/arrow/stability/RUN has the latents themselves. */
  trends: { density: StabilityTrend; maxActivation: StabilityTrend };
  /**
   * The number of distinct features among the latents of n seeds, where latents linked by sharing are one feature, and the
   * total number of latents, as means over which seed comes first. Empty until every pair of the seeds is compared.
   */
  unique: { seeds: number; unique: number; total: number }[];
}

export const orphanInput = dictionaryInput.extend({
  /** At which cosine latents count as shared; by default what each comparison was made with. */
  threshold: z.number().min(0).max(1).optional(),
  sort: z.enum(orphanSorts).default('density'),
  ...pageFields,
});
export type OrphanInput = z.infer<typeof orphanInput>;
/** Live latents shared with no other seed. */
export type OrphanPage = Page<FeatureRow>;
