import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

/** One file of a capture, with what a reader checks before it believes the bytes. */
export const shardSchema = z.strictObject({
  /** Relative to the capture's folder. */
  file: z.string(),
  rows: z.int().positive(),
  bytes: z.int().positive(),
  sha256: z.string().length(64),
});
export type Shard = z.infer<typeof shardSchema>;

/** captures/<name>/capture.json */
const captureManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  /** `complete` once every shard is written; a reader refuses anything else. */
  status: z.enum(['partial', 'complete']),
  model: z.strictObject({ name: z.string(), folder: z.string(), sha256: z.string() }),
  /** What the text was: a dataset's name or a file's name, and the checksum of its characters. */
  text: z.strictObject({ source: z.string(), sha256: z.string() }),
  /** Tokens per context (a row of tokens.arrow). */
  contextLength: z.int().positive(),
  contexts: z.int().nonnegative(),
  /** The last this many contexts are never trained on: evaluation, feature index and comparison read them. */
  heldOutContexts: z.int().nonnegative(),
  /** Positions before this one carry no activation rows (the first token attends to nothing and its activations are outliers). */
  firstPosition: z.int().nonnegative(),
  dtype: z.enum(['float16', 'float32']),
  tokens: shardSchema.nullable(),
  hooks: z.array(
    z.strictObject({ hook: z.string(), width: z.int().positive(), shards: z.array(shardSchema) }),
  ),
});
export type CaptureManifest = z.infer<typeof captureManifestSchema>;

export const captureKind: ManifestKind<CaptureManifest> = {
  name: 'a capture',
  remedy: 'delete its folder and capture again',
  version: 1,
  schema: captureManifestSchema,
  upgrades: {},
};
