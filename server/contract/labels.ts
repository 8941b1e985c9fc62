import { z } from 'zod';
import { featureInput } from './features.ts';
import { seedNumber, storeName } from './limits.ts';

export const labelInput = featureInput.extend({
  /** An empty label with an empty note removes the entry. */
  label: z.string().trim().max(200),
  note: z.string().trim().max(10_000).default(''),
});
export type LabelInput = z.infer<typeof labelInput>;

export const labelListInput = z.object({
  run: storeName.optional(),
  seed: seedNumber.optional(),
});
export type LabelListInput = z.infer<typeof labelListInput>;

/** What a person has written about a latent. */
export interface Label {
  run: string;
  seed: number;
  latent: number;
  label: string;
  note: string;
  updatedAt: string;
}
