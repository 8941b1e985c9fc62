import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

const share = z.number();

/** sweeps/<name>/stability.json (METHODS.md §14): how many features of each configuration of a sweep come back. */
const stabilitySweepSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  /** Both cosines of a latent that comes back are at least this. */
  threshold: z.number(),
  rows: z.array(
    z.strictObject({
      run: z.string(),
      /** What the run is compared with: 'its own seeds', or the name of a run that differs in the order of the rows alone. */
      with: z.string(),
      architecture: z.string(),
      width: z.int(),
      tokens: z.int(),
      /** How training began, where the configuration says; see METHODS.md §14. */
      start: z.record(z.string(), z.union([z.string(), z.number()])),
      /** Means over seeds; null where the model isn't known, as for the loss. */
      l0: z.number().nullable(),
      fvu: z.number().nullable(),
      ceRecovered: z.number().nullable(),
      deadFraction: z.number().nullable(),
      /** Means over pairs of seeds: the share of latents whose counterpart reaches the threshold, what of it chance explains, and the difference. */
      comesBack: share,
      /** 95 % of the first by bootstrap over seeds; null for fewer than three, and beside another run. */
      interval: z.tuple([share, share]).nullable(),
      byChance: share,
      beyondChance: share,
      /** Share of the latents nearer to their counterpart than chance explains, by Benjamini & Hochberg. */
      significant: share,
      pairs: z.int(),
    }),
  ),
});
/** What stability.json holds. */
export type StabilitySweep = z.infer<typeof stabilitySweepSchema>;

/** How it is stored. */
export const stabilitySweepKind: ManifestKind<StabilitySweep> = {
  name: 'the stability of a sweep',
  remedy: 'delete it and run lazyscope stability again',
  version: 1,
  schema: stabilitySweepSchema,
  upgrades: {},
};
