import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

const dictionary = z.strictObject({ run: z.string(), seed: z.int() });
const similarity = {
  value: z.number().nullable(),
  /** 95 %, by a jackknife over ten groups of pairs; null where a value is undefined. */
  interval: z.tuple([z.number(), z.number()]).nullable(),
  /** Of random pairings of the same latents: their mean and the most, and the share of them, the measured one among them, that reach the value. */
  chance: z.number().nullable(),
  most: z.number().nullable(),
  p: z.number().nullable(),
};

/** spaces/<name>/spaces.json (METHODS.md §12): two dictionaries whose spaces differ, compared by what their latents fire on. */
const spacesSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  a: dictionary,
  b: dictionary,
  /** Whether places were matched by token or by where tokens end in the text, and how many were used. */
  aligned: z.enum(['tokens', 'text']),
  tokens: z.int(),
  /** Latents of either side that fire on them. */
  live: z.tuple([z.int(), z.int()]),
  /** Latents each of which is the other's most correlated one. */
  pairs: z.int(),
  leastCorrelation: z.number(),
  /** Random pairings. */
  draws: z.int(),
  correlation: z.strictObject({ mean: z.number().nullable(), median: z.number().nullable() }),
  svcca: z.strictObject({ ...similarity, components: z.tuple([z.int(), z.int()]) }),
  rsa: z.strictObject({ ...similarity, vectors: z.int() }),
  seconds: z.number(),
});
/** What spaces.json holds. */
export type SpacesReport = z.infer<typeof spacesSchema>;

/** How it is stored. */
export const spacesKind: ManifestKind<SpacesReport> = {
  name: 'a comparison of spaces',
  remedy: 'delete it and run lazyscope spaces again',
  version: 1,
  schema: spacesSchema,
  upgrades: {},
};
