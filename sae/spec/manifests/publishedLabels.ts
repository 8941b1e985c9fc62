import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

const place = { run: z.string(), seed: z.int().nonnegative(), latent: z.int().nonnegative() };

/** labels.json: what people wrote about latents, out of the database, so that a published store has it without the log of jobs. */
const publishedLabelsSchema = z.strictObject({
  version: z.literal(1),
  labels: z.array(
    z.strictObject({
      ...place,
      label: z.string(),
      note: z.string(),
      updatedAt: z.string(),
      /** JSON of where the label comes from; null for one written by hand. */
      source: z.string().nullable(),
    }),
  ),
  lists: z.array(z.strictObject({ name: z.string(), note: z.string(), createdAt: z.string() })),
  listed: z.array(z.strictObject({ list: z.string(), ...place, addedAt: z.string() })),
});
/** What labels.json holds. */
export type PublishedLabels = z.infer<typeof publishedLabelsSchema>;

/** How the labels of a published store are stored. */
export const publishedLabelsKind: ManifestKind<PublishedLabels> = {
  name: 'the labels of a published store',
  remedy: "write them again with 'lazyscope store index'",
  version: 1,
  schema: publishedLabelsSchema,
  upgrades: {},
};
