import { z } from 'zod';
import type { LabelScore, LabelSource } from '../../sae/spec/labelSources.ts';
import { labelSourceKinds, longestLabel, longestNote } from '../../sae/spec/labelSources.ts';
import { featureInput } from './features.ts';
import { seedNumber, storeName } from './limits.ts';
import type { DictionaryReference, Page } from './tokens.ts';
import { dictionaryInput, pageFields } from './tokens.ts';

export const labelInput = featureInput.extend({
  /** An empty label with an empty note removes the entry. */
  label: z.string().trim().max(longestLabel),
  note: z.string().trim().max(longestNote).default(''),
});
export type LabelInput = z.infer<typeof labelInput>;

export const labelListInput = z.object({
  run: storeName.optional(),
  seed: seedNumber.optional(),
});
export type LabelListInput = z.infer<typeof labelListInput>;

export const labelSorts = ['feature', 'label', 'source', 'detection', 'fuzzing', 'updatedAt'] as const;

const labelFilterFields = {
  run: storeName.optional(),
  seed: seedNumber.optional(),
  source: z.enum(labelSourceKinds).optional(),
  /** Words, or beginnings of words, of the label; or a part of the note. */
  text: z.string().trim().min(1).max(200).optional(),
  /** The features of this list, labelled or not. */
  list: storeName.optional(),
};

export const labelPageInput = z.object({
  ...labelFilterFields,
  sort: z.enum(labelSorts).default('feature'),
  ...pageFields,
  order: pageFields.order.default('asc'),
});
export type LabelPageInput = z.infer<typeof labelPageInput>;

/** A feature with its label, which is null for a feature that is only on a list, and the lists that it is on. */
export interface LabelRow extends DictionaryReference {
  latent: number;
  label: string | null;
  note: string;
  updatedAt: string | null;
  source: LabelSource | null;
  detection: LabelScore | null;
  fuzzing: LabelScore | null;
  lists: string[];
}

export interface LabelPage extends Page<LabelRow> {
  /** All labels of the store, by source; of a latent with several only the one that is shown counts. */
  counts: Record<LabelSource['kind'], number>;
}

export const labelFormats = ['csv', 'json', 'neuronpedia'] as const;
/** A format in which labels are read and written. */
export type LabelFormat = (typeof labelFormats)[number];

export const labelExportInput = z.object({ ...labelFilterFields, format: z.enum(labelFormats) });
export type LabelExportInput = z.infer<typeof labelExportInput>;

/** A file of labels, as text. */
export interface LabelExport {
  /** A name for the file, with its ending. */
  name: string;
  mediaType: string;
  text: string;
  labels: number;
}

/** Characters that an imported file may have: 100,000 labels and more. */
export const longestImport = 24_000_000;
/** Bytes of the body of the request that brings it. */
export const maxImportBytes = 32 << 20;

export const labelImportInput = z.object({
  format: z.enum(labelFormats),
  text: z.string().min(1).max(longestImport),
  /** The dictionary of entries that don't say theirs; Neuronpedia's never do. */
  run: storeName.optional(),
  seed: seedNumber.optional(),
  /** Whether labels that people wrote, carried or imported before are replaced; otherwise they stay. */
  overwrite: z.boolean().default(false),
  /** Says what would happen and changes nothing. */
  dryRun: z.boolean().default(false),
});
export type LabelImportInput = z.infer<typeof labelImportInput>;

/** What an import did: all of `taken` in one step, or, when the call fails, nothing. */
export interface LabelImport {
  taken: number;
  /** Of these, labels that took the place of another. */
  replaced: number;
  skipped: number;
  /** How many entries were skipped for each reason. */
  reasons: Record<string, number>;
  /** The first skipped entries: the line of a CSV or JSON Lines file, or the number of the entry of a list. */
  examples: { line: number; why: string }[];
}

export const carryInput = dictionaryInput.extend({
  /** The label of this latent alone; otherwise all of the dictionary's labels. */
  latent: featureInput.shape.latent.optional(),
  /** To these dictionaries; otherwise to all that differ in the seed alone and are compared with this one. */
  to: z.array(dictionaryInput).min(1).max(100).optional(),
  /** Only to counterparts that are shared: both matchings agree and both cosines reach the comparison's threshold. */
  sharedOnly: z.boolean().default(true),
  /** Whether labels that people wrote, carried or imported are replaced. */
  overwrite: z.boolean().default(false),
});
export type CarryInput = z.infer<typeof carryInput>;

/** Labels that were copied to counterparts in other dictionaries. */
export interface LabelCarry {
  carried: (DictionaryReference & { latent: number; label: string; cosine: number })[];
  /** How many were not, by reason. */
  reasons: Record<string, number>;
}
