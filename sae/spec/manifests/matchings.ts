import { z } from 'zod';
import { flowKindNames } from '../flowKinds.ts';
import { matchingMethodNames } from '../matchingMethods.ts';
import type { ManifestKind } from './manifestKind.ts';

const interval = z.tuple([z.number(), z.number()]).nullable();
/** Mean over pairs of seeds, with its 95 % interval by bootstrap over seeds; null for two seeds. */
const overSeeds = z.strictObject({ value: z.number(), interval });
const stratum = z.strictObject({
  /** Mean share of the tokens on which its features fire; null where there are none. */
  density: z.number().nullable(),
  quality: z.number().nullable(),
});

/** runs/<run>/matchings.json (METHODS.md §11): the matchings of every pair of a run's seeds, judged. */
const matchingsSchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  createdAt: z.string(),
  seeds: z.array(z.int()).min(2),
  /** Another run, to whose dictionaries the features were followed as well. */
  against: z.string().nullable(),
  latents: z.int().positive(),
  comparisons: z.array(z.strictObject({ name: z.string(), createdAt: z.string() })),
  /** Held-out rows; features whose predictions were compared, over all pairs, and contexts of each. Null where the model was not run. */
  tokens: z.int().positive(),
  predictions: z.strictObject({ latents: z.int(), contexts: z.int() }).nullable(),
  transport: z.strictObject({
    epsilon: z.number(),
    rho: z.number(),
    /** The most iterations of a pair, and the largest last change of a potential as a share of ε. */
    iterations: z.int(),
    change: z.number(),
  }),
  /** Live latents of the first seed of each pair that are missed when they are taken out: these are judged. */
  judged: z.number(),
  methods: z.array(
    z.strictObject({
      method: z.enum(matchingMethodNames),
      /** Share of the judged latents that have a counterpart. */
      coverage: z.number(),
      reconstruction: z.strictObject({
        /** Area under the curve of recovered error against coverage. */
        area: overSeeds,
        /** Less that of the assignment. */
        beyondAssignment: overSeeds,
        /** Mean share recovered of all judged latents, and of those with a counterpart; null where none has. */
        recovered: z.number(),
        recoveredMatched: z.number().nullable(),
        /** Thirds by frequency, the rarest first. */
        strata: z.array(stratum),
        /** Mean share recovered of the surest 0, 1/40, … 1 of the latents; the first is that of the surest one. */
        curve: z.array(z.number()),
      }),
      /** Null where the model was not run, and where it notices none of the features of a pair of seeds. */
      predictions: z
        .strictObject({
          /** The same by KL from the unchanged model. */
          area: overSeeds,
          beyondAssignment: overSeeds,
          recovered: z.number(),
          strata: z.array(stratum),
          curve: z.array(z.number()),
          /** 1 − Σ growth of the cross-entropy with the counterpart / Σ growth without the latent; null where that is not above 0. */
          crossEntropy: z.number().nullable(),
          /** Mean cosine of the fingerprints of a latent and its counterpart; null where none has one. */
          fingerprint: overSeeds.nullable(),
          /** Probability that it is above that of a hard negative, ties as one half. */
          beatsSecondBest: z.number().nullable(),
          beatsLikeActivity: z.number().nullable(),
        })
        .nullable(),
    }),
  ),
  /** What features that are not the counterpart reach: the second nearest by decoder, and one as frequent. */
  negatives: z.array(
    z.strictObject({
      kind: z.enum(['secondBest', 'likeActivity']),
      reconstruction: z.number().nullable(),
      predictions: z.number().nullable(),
      fingerprint: z.number().nullable(),
    }),
  ),
  /** What became of each latent in each other dictionary: numbers of latents, by the other dictionary's run. */
  flows: z.array(z.strictObject({ to: z.string(), kinds: z.record(z.enum(flowKindNames), z.int()) })),
  seconds: z.number(),
});
/** What matchings.json holds. */
export type Matchings = z.infer<typeof matchingsSchema>;

/** How it is stored. */
export const matchingsKind: ManifestKind<Matchings> = {
  name: 'a comparison of matchings',
  remedy: 'delete it and run lazyscope matchings again',
  version: 1,
  schema: matchingsSchema,
  upgrades: {},
};
