import { z } from 'zod';

const share = z.number();

/** What becomes of the latents that come back in fewer than half of the other seeds (METHODS.md §9). */
export const subspacesSchema = z.strictObject({
  /** What random directions are like: with the covariance of the activations, or without a preference. */
  null: z.enum(['covariance', 'isotropic']),
  /** Unstable latents of each seed that has two or more, and how many dimensions they fill. */
  seeds: z.array(
    z.strictObject({
      seed: z.int(),
      latents: z.int(),
      participationRatio: z.number(),
      entropyRank: z.number(),
    }),
  ),
  /** Leading dimensions that are compared: the mean participation ratio, at most half of all. */
  rank: z.int().positive(),
  /** Mean squared cosine of the principal angles between the leading spaces of two seeds, of two sets of random directions, of two random spaces, and between a seed's and that of the activations' principal components. */
  affinity: z.strictObject({
    seeds: share,
    chance: share,
    random: share,
    components: share.nullable(),
  }),
  /** Cosines of the principal angles, largest first, averaged over pairs of seeds and over pairs of random sets. */
  cosines: z.array(z.number()),
  cosinesByChance: z.array(z.number()),
  /** Unstable latents that lie in the other seeds' space more than random directions do, by Benjamini & Hochberg at a false discovery rate of q; and the mean share of their squared norm inside it. */
  found: z.strictObject({
    share,
    inside: share,
    insideByChance: share,
    q: z.number(),
    p: z.number(),
  }),
  clusters: z.strictObject({
    /** Latents that were clustered, and into how many. */
    latents: z.int(),
    count: z.int(),
    /** (share − chance)/(1 − chance) that 95 % of random directions, clustered the same way, do not exceed; null where none of their clusters has two seeds. */
    excessByChance: z.number().nullable(),
    /** Clusters that exceed it, and the latents in them. */
    found: z.int(),
    latentsFound: z.int(),
    /** The largest ones, by the number that the tables of latents have. */
    largest: z.array(
      z.strictObject({
        latents: z.int(),
        bySeed: z.array(z.int()),
        /** Participation ratio of all members. */
        rank: z.number(),
        /** Mean share of a member's squared norm inside the space of the other seeds' members, and that of random directions; null for a cluster of one seed. */
        share: share.nullable(),
        chance: share.nullable(),
        found: z.boolean(),
      }),
    ),
  }),
});
/** What becomes of unstable latents: part of a reproducibility report. */
export type Subspaces = z.infer<typeof subspacesSchema>;
