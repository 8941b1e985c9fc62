import { z } from 'zod';
import { featureInput } from './features.ts';
import { storeName } from './limits.ts';

/** How many lists a store has, and how many features one has, at most. */
export const mostLists = 1_000;
export const mostListed = 100_000;

export const listInput = z.object({ name: storeName });
export const listNoteInput = listInput.extend({ note: z.string().trim().max(2_000) });
export const listMembersInput = listInput.extend({ features: z.array(featureInput).min(1).max(1_000) });
export type ListMembersInput = z.infer<typeof listMembersInput>;

/** A named list of features. The list `starred` is what the star of a feature puts it on. */
export interface FeatureList {
  name: string;
  note: string;
  features: number;
  createdAt: string;
}
