import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';

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
