import { z } from 'zod';
import type { CaptureManifest, NormReport } from '../../sae/spec/manifests/capture.ts';
import { storeName } from './limits.ts';
import type { TokenText } from './tokens.ts';

export const normsInput = z.object({ name: storeName, hook: z.string().max(200) });

/** How long the rows of a capture are at one hook point. */
export interface CaptureNorms {
  /** Rows of the capture. */
  rows: number;
  /** The first position of a context that has rows. */
  firstPosition: number;
  /** What training and figures leave out unless told otherwise; null where nothing. */
  exclude: string | null;
  /** Null where the capture did not measure it; parts of it are absent in older captures. */
  report: NormReport | null;
  /** The texts of the tokens that the report names. */
  texts: TokenText[];
}

/** A capture in a list. */
export interface CaptureRow {
  name: string;
  createdAt: string;
  status: CaptureManifest['status'];
  model: string;
  text: string;
  /** Number of captured tokens, held-out ones included. */
  tokens: number;
  heldOutTokens: number;
  /** Number of activation rows for each hook point; fewer than `tokens` when the first positions of contexts are left out. */
  rows: number;
  hooks: { hook: string; width: number }[];
  dtype: CaptureManifest['dtype'];
  bytes: number;
}

/** A capture with its manifest. */
export interface CaptureDetail extends CaptureRow {
  manifest: CaptureManifest;
}
