import { z } from 'zod';

/** What a change of one figure is, with its interval over contexts, beside that of random groups. */
const change = z.strictObject({
  change: z.number(),
  /** 95 % by bootstrap over contexts; null where it is not defined. */
  interval: z.tuple([z.number(), z.number()]).nullable(),
  /** The mean over random groups of as many latents of like density and strength, and the least and the most of them. */
  control: z.number(),
  least: z.number(),
  most: z.number(),
});

const changes = z.strictObject({
  /** FVU less that of the whole dictionary. */
  fvu: change,
  /** Cross-entropy less that of the model as it is, in nats a token. */
  crossEntropy: change,
  /** KL from the model as it is, in nats a token. */
  divergence: change,
});

/** What stability is worth (METHODS.md §9): means over the seeds of a run, on held-out text. */
export const worthSchema = z.strictObject({
  /** Held-out rows that were reconstructed, and tokens that were predicted. */
  tokens: z.int(),
  lossTokens: z.int(),
  /** Random groupings, and the probability with which a further one would lie between the least and the most of them: (draws − 1)/(draws + 1). */
  draws: z.int().positive(),
  coverage: z.number(),
  /** FVU of the whole dictionary and without any latent, cross-entropy of the model as it is, and what taking out all latents costs. */
  whole: z.strictObject({
    fvu: z.number(),
    fvuWithout: z.number(),
    crossEntropy: z.number(),
    crossEntropyChange: z.number(),
    divergence: z.number(),
  }),
  /** Equally many live latents each, from those that come back least to those that come back most. */
  groups: z.array(
    z.strictObject({
      latents: z.number(),
      stability: z.number(),
      /** Mean share of tokens on which a latent of the group fires. */
      density: z.number(),
      /** The group's latents set to 0. */
      ablated: changes,
      /** All other latents set to 0. */
      kept: changes,
    }),
  ),
  /** Attribution beside the measured change of cross-entropy, over latents drawn at random; null where too few fire or nothing varies. */
  attribution: z.strictObject({
    latents: z.int(),
    pearson: z.number().nullable(),
    spearman: z.number().nullable(),
  }),
  seconds: z.number(),
});
/** What stability is worth: part of a reproducibility report. */
export type Worth = z.infer<typeof worthSchema>;
