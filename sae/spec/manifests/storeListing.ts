import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

/** Folders of a store that are published; everything else in it is the server's own. */
const publishedFolders = [
  'captures',
  'comparisons',
  'corpora',
  'datasets',
  'exports',
  'imports',
  'models',
  'runs',
  'spaces',
  'sparsity',
  'sweeps',
  'texts',
  'vocabularies',
] as const;

/** No part begins with a dot, so that a path can lead neither out of the folder nor to a hidden file. */
const pathPattern = new RegExp(
  `^(?:labels\\.json|(?:${publishedFolders.join('|')})(?:/[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,199}){1,12})$`,
);

/** Whether a file lies in one of these folders: what else is in a store is the server's own. `path` is relative to the store, with slashes. */
export const isOfPublishedFolder = (path: string): boolean =>
  publishedFolders.some((folder) => path.startsWith(`${folder}/`));

/** Whether a file may be listed: `path` is relative to the store, with slashes. */
export const canBeListed = (path: string): boolean => pathPattern.test(path);

/** Whether a file may be kept in a bucket, where several machines work: also one of the blocks that parts of a work leave for one another. */
export const canBeShared = (path: string): boolean =>
  canBeListed(path) || (path.startsWith('parts/') && canBeListed(path.replace('parts', 'runs')));

const fileSchema = z.strictObject({
  /** Relative to the store, with slashes. */
  path: z.string().regex(pathPattern, 'is not the path of a file of a store'),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 in hexadecimal'),
});
/** One file of a published store. */
export type ListedFile = z.infer<typeof fileSchema>;

/** store.json: the files of a published store, so that it can be read from a host that lists no folders. */
const storeListingSchema = z.strictObject({
  version: z.literal(1),
  createdAt: z.string(),
  files: z.array(fileSchema),
});
/** What store.json holds. */
export type StoreListing = z.infer<typeof storeListingSchema>;

/** How the listing of a published store is stored. */
export const storeListingKind: ManifestKind<StoreListing> = {
  name: 'the files of a store',
  remedy: "write it again with 'lazyscope store index'",
  version: 1,
  schema: storeListingSchema,
  upgrades: {},
};
