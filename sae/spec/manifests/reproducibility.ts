import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';
import { subspacesSchema } from '../reproducibility/subspaces.ts';
import { worthSchema } from '../reproducibility/worth.ts';

const share = z.number().min(0).max(1);

/** runs/<run>/reproducibility.json (METHODS.md §9). Shares are of the latents of all seeds. */
const reproducibilitySchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  createdAt: z.string(),
  seeds: z.array(z.int()).min(2),
  /** Latents of each seed. */
  latents: z.int().positive(),
  threshold: z.number(),
  /** The comparisons that this was made of, and when each was made. */
  comparisons: z.array(z.strictObject({ name: z.string(), createdAt: z.string() })),
  /** Latents by the number of other seeds that share them, from none to all. */
  histogram: z.array(z.int().nonnegative()),
  /** Shared by every other seed, with the interval that the number of latents leaves; by at least one; on average; and both by chance, at most. */
  every: z.strictObject({ share, low: share, high: share, chance: share }),
  any: z.strictObject({ share, chance: share }),
  mean: z.strictObject({ share, chance: share }),
  /** Of each seed. */
  bySeed: z.array(z.strictObject({ seed: z.int(), every: share, any: share, mean: share })),
  /** Latents that come back more often than random dictionaries would let them, by Benjamini & Hochberg at a false discovery rate of q. */
  beyond: z.strictObject({ share, q: z.number(), p: z.number() }),
  /** What the random dictionaries were like: the activations' covariance or the second moment of another seed's rows, whichever comes nearer; the rows alone; or neither. */
  null: z.enum(['covariance', 'rows', 'isotropic']),
  learning: z.strictObject({
    points: z.array(z.strictObject({ seeds: z.int(), observed: share.nullable(), fitted: share.nullable() })),
    /** The probability that a latent comes back is distributed as Beta(a, b); null where it could not be fitted. */
    law: z.strictObject({ a: z.number(), b: z.number() }).nullable(),
    enough: z.int().nullable(),
  }),
  /** Null where a seed is not indexed, so that density and strength are not known. */
  controls: z
    .strictObject({
      /** Share of the variance of stability that density and strength explain. */
      explained: z.number().nullable(),
      /** Latents that come back in every seed, each beside one near in density and strength that comes back in none; no latent in two pairs. */
      pairs: z.int().nonnegative(),
      differences: z.array(
        z.strictObject({
          property: z.string(),
          stable: z.number(),
          control: z.number(),
          low: z.number(),
          high: z.number(),
        }),
      ),
    })
    .nullable(),
  /** What stability is worth, where that was measured. */
  worth: worthSchema.optional(),
  /** What becomes of latents that do not come back; absent where there are too few, and for activations too wide. */
  subspaces: subspacesSchema.optional(),
  seconds: z.number(),
});
/** What reproducibility.json holds. */
export type Reproducibility = z.infer<typeof reproducibilitySchema>;

/** How it is stored. */
export const reproducibilityKind: ManifestKind<Reproducibility> = {
  name: 'a reproducibility report',
  remedy: 'delete it and run lazyscope reproducibility again',
  version: 1,
  schema: reproducibilitySchema,
  upgrades: {},
};
