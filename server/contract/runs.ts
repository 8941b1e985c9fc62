import { z } from 'zod';
import type { ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';

/** One dictionary: a run × one of its seeds. Evaluation figures are null until it is evaluated. */
export interface RunRow {
  name: string;
  seed: number;
  architecture: ArchitectureName;
  capture: string;
  /** Name of the language model the capture was taken from; null when the capture has gone. */
  model: string | null;
  hook: string;
  width: number;
  d: number;
  status: RunManifest['status'];
  createdAt: string;
  step: number;
  totalSteps: number;
  /** Tokens to train on. */
  tokens: number;
  seconds: number;
  tokensPerSecond: number;
  backend: string;
  batchSize: number;
  learningRate: number;
  /** Null where the architecture has no such setting. */
  k: number | null;
  sparsityCoefficient: number | null;
  targetL0: number | null;
  l0: number | null;
  fvu: number | null;
  explainedVariance: number | null;
  ceRecovered: number | null;
  deadFraction: number | null;
  /** features.parquet is there. */
  indexed: boolean;
}

export interface RunDetail {
  manifest: RunManifest;
  model: string | null;
  seeds: { seed: number; evaluation: Evaluation | null; indexed: boolean }[];
}

export const metricsInput = z.object({
  name: z.string().min(1),
  /** Rows are thinned evenly to at most this many a seed; the last is always kept. */
  maxPoints: z.int().min(2).max(20_000).default(1_000),
});

export interface RunMetrics {
  name: string;
  /** Column names besides `step` and `tokens`, in file order. */
  columns: string[];
  seeds: {
    seed: number;
    step: number[];
    tokens: number[];
    /** One array a column, as long as `step`. */
    values: Record<string, (number | null)[]>;
  }[];
}
