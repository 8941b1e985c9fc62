import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

const interval = z.tuple([z.number(), z.number()]);

const classificationSchema = z.strictObject({
  /** The text, and which field or column held the classes. */
  text: z.string(),
  labelField: z.string(),
  classes: z.array(z.string()).min(2),
  /** Documents of each class that probes learnt from, and that tested them. */
  trainDocuments: z.int().positive(),
  testDocuments: z.int().positive(),
  /** Tokens of each document at most. */
  contextLength: z.int().positive(),
  sparseProbing: z.strictObject({
    byK: z.array(
      z.strictObject({
        k: z.int().positive(),
        accuracy: z.number(),
        interval,
        coordinates: z.number(),
        randomLatents: z.number(),
        shuffledLabels: z.number(),
      }),
    ),
    allCoordinates: z.number(),
    allCoordinatesInterval: interval,
    classes: z.array(
      z.strictObject({
        name: z.string(),
        allCoordinates: z.number(),
        byK: z.array(
          z.strictObject({ k: z.int().positive(), latents: z.array(z.int()), accuracy: z.number() }),
        ),
      }),
    ),
  }),
  perturbation: z.array(
    z.strictObject({
      n: z.int().positive(),
      tpp: z.number(),
      interval,
      intended: z.number(),
      unintended: z.number(),
      random: z.number(),
    }),
  ),
});

const removalSchema = z.strictObject({
  oracle: z.number(),
  biased: z.number(),
  byN: z.array(z.strictObject({ n: z.int().positive(), scr: z.number(), interval, random: z.number() })),
});

/** Removal of a spurious correlation between two properties of documents, each with two values. */
const spuriousSchema = z.strictObject({
  text: z.string(),
  labelField: z.string(),
  spuriousField: z.string(),
  /** The values of both fields. */
  firstValues: z.tuple([z.string(), z.string()]),
  secondValues: z.tuple([z.string(), z.string()]),
  /** Documents of each combination of values. */
  trainDocuments: z.int().positive(),
  testDocuments: z.int().positive(),
  contextLength: z.int().positive(),
  /** The second property is removed and the first measured, and the other way round. */
  first: removalSchema,
  second: removalSchema,
  /** Which of them counts. */
  counts: z.enum(['first', 'second']).nullable(),
});

const absorptionSchema = z.strictObject({
  trainWords: z.int().nonnegative(),
  testWords: z.int().nonnegative(),
  letters: z.array(
    z.strictObject({
      letter: z.string(),
      probeF1: z.number(),
      latents: z.array(z.int()),
      latentF1: z.number(),
      words: z.int().nonnegative(),
      fraction: z.number(),
      full: z.number(),
    }),
  ),
  counted: z.int().nonnegative(),
  fraction: z.number().nullable(),
  fractionInterval: interval.nullable(),
  full: z.number().nullable(),
  fullInterval: interval.nullable(),
  latentsPerLetter: z.number().nullable(),
  chanceFraction: z.number().nullable(),
  chanceFull: z.number().nullable(),
});

/** runs/<name>/seed-<n>/probes.json (METHODS.md §13). What was not measured yet is null. */
const probesSchema = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  seed: z.int(),
  classification: classificationSchema.nullable(),
  absorption: absorptionSchema.nullable(),
  /** Absent in documents of versions that did not measure it. */
  spurious: spuriousSchema.nullable().optional(),
});
/** What probes.json holds. */
export type Probes = z.infer<typeof probesSchema>;

/** How the figures of probes are stored. */
export const probesKind: ManifestKind<Probes> = {
  name: 'the figures of probes',
  remedy: 'probe the dictionary again',
  version: 1,
  schema: probesSchema,
  upgrades: {},
};
