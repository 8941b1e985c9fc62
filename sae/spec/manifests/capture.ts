import { z } from 'zod';
import { shardTypes } from '../shardTypes.ts';
import type { ManifestKind } from './manifestKind.ts';

/** A path of one or more names below a folder: none of them empty, '.' or '..', so that it can't lead out of the folder. */
const pathBelow = /^(?!\.{1,2}(?:\/|$))[^/\\:\0]+(?:\/(?!\.{1,2}(?:\/|$))[^/\\:\0]+)*$/;

/** One file of a capture, with what a reader checks before it believes the bytes. */
export const shardSchema = z.strictObject({
  /** Relative to the capture's folder. */
  file: z.string().regex(pathBelow, 'must lie in the folder of the capture'),
  rows: z.int().positive(),
  bytes: z.int().positive(),
  sha256: z.string().length(64),
});
export type Shard = z.infer<typeof shardSchema>;

/** How long the rows of a hook point are; see sae/activations/normReport.ts. */
const normReportSchema = z.strictObject({
  median: z.number(),
  largest: z.number(),
  /** Rows longer than `factor` times the median, and their share of Σ‖x − x̄‖² (null where the activations do not vary). */
  factor: z.number(),
  rows: z.int().nonnegative(),
  varianceShare: z.number().nullable(),
  /** Where they stand and which tokens they are, the commonest first. */
  positions: z.array(z.strictObject({ position: z.int().nonnegative(), rows: z.int().positive() })),
  tokens: z.array(z.strictObject({ token: z.int().nonnegative(), rows: z.int().positive() })),
  /** Norms that these shares of the rows do not exceed, ascending; absent in older captures, as the following are. */
  quantiles: z.array(z.strictObject({ share: z.number(), norm: z.number() })).optional(),
  /** The median norm at each position, the first that has rows first; null where a position has no row. */
  medianByPosition: z.array(z.number().nullable()).optional(),
  /** Tokens of several rows with the largest median norms, the longest first. */
  longestTokens: z
    .array(z.strictObject({ token: z.int().nonnegative(), rows: z.int().positive(), median: z.number() }))
    .optional(),
});
export type NormReport = z.infer<typeof normReportSchema>;

/** captures/<name>/capture.json */
const captureManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  /** `complete` once every shard is written; a reader refuses anything else. */
  status: z.enum(['partial', 'complete']),
  /** `folder` is `models/NAME` of the store, or empty for a model elsewhere (sae/models/modelPlace.ts); earlier versions wrote an absolute path. */
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
  dtype: z.enum(shardTypes),
  tokens: shardSchema.nullable(),
  /**
   * Of activations that another program computed: the names of their files, and whether a language model and tokens are known. Without a
   * model, `model` names none; without tokens, `tokens` is null although the capture is complete.
   */
  imported: z.strictObject({ source: z.string(), model: z.boolean(), tokens: z.boolean() }).optional(),
  /** The token before documents, and whether every context begins with it too; absent in older captures, where `contexts` held. */
  packing: z
    .strictObject({ separator: z.int().nullable(), before: z.enum(['contexts', 'documents', 'nothing']) })
    .optional(),
  /** Special tokens of the tokenizer, by id; absent in older captures. */
  specialTokens: z.array(z.int().nonnegative()).optional(),
  /** Rows that training and figures leave out unless told otherwise, as sae/activations/exclusionRule.ts writes it; nothing where absent. */
  exclude: z.string().optional(),
  hooks: z.array(
    z.strictObject({
      hook: z.string(),
      width: z.int().positive(),
      shards: z.array(shardSchema),
      /** Of a complete capture; absent in older ones. */
      norms: normReportSchema.optional(),
    }),
  ),
});
/** What capture.json holds. */
export type CaptureManifest = z.infer<typeof captureManifestSchema>;

/** Whether it is known which language model the activations of a capture are of. */
export const hasModel = ({ imported }: Pick<CaptureManifest, 'imported'>): boolean => imported?.model ?? true;

/** How captures are stored. */
export const captureKind: ManifestKind<CaptureManifest> = {
  name: 'a capture',
  remedy: 'delete its folder and capture again',
  version: 1,
  schema: captureManifestSchema,
  upgrades: {},
};
