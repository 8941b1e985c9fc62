import { z } from 'zod';
import { storeName } from './limits.ts';
import type { ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import type { Probes } from '../../sae/spec/manifests/probes.ts';

/** Points of a training curve that can be asked for. */
export const mostPoints = 20_000;

/** Why there is an evaluation and no figures: its file can't be read, or a later Lazyscope wrote it. */
export type EvaluationFault = 'damaged' | 'newer';

/** Where a training is, on training batches: means over the seeds, null where one is not finite. */
export interface TrainingProgress {
  step: number;
  loss: number | null;
  fvu: number | null;
  l0: number | null;
  deadFraction: number | null;
  tokensPerSecond: number;
  /** At the rate of the last steps; null where there is none. */
  secondsLeft: number | null;
}

/** One dictionary, which is one seed of a run. Evaluation figures are null until it is evaluated. */
export interface RunRow {
  name: string;
  seed: number;
  architecture: ArchitectureName;
  capture: string;
  /** Name of the language model that the capture was made with; null if the capture no longer exists. */
  model: string | null;
  hook: string;
  width: number;
  d: number;
  status: RunManifest['status'];
  createdAt: string;
  /** The last that was logged, while it trains; otherwise the last of the manifest. */
  step: number;
  totalSteps: number;
  /** While it trains, once it has logged something. */
  training: TrainingProgress | null;
  /** Number of tokens that the run trains on. */
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
  evaluationFault: EvaluationFault | null;
  /** Whether the dictionary is indexed, that is, has a features.parquet. */
  indexed: boolean;
}

/** A run with its configuration and seeds. */
export interface RunDetail {
  manifest: RunManifest;
  /** While it trains, once it has logged something. */
  training: TrainingProgress | null;
  model: string | null;
  seeds: {
    seed: number;
    /** Null until it is evaluated, and where `evaluationFault` says that it can't be read. */
    evaluation: Evaluation | null;
    evaluationFault: EvaluationFault | null;
    /** What probes say of it; null until it is probed, and where the file can't be read. */
    probes: Probes | null;
    indexed: boolean;
  }[];
}

export const metricsInput = z.object({
  name: storeName,
  /** Rows are thinned evenly to at most this many for each seed; the last one is always kept. */
  maxPoints: z.int().min(2).max(mostPoints).default(1_000),
});

/** How losses and sparsity went during training, thinned out for charts. */
export interface RunMetrics {
  name: string;
  /** Column names besides `step` and `tokens`, in file order. */
  columns: string[];
  seeds: {
    seed: number;
    step: number[];
    tokens: number[];
    /** For each column an array that is as long as `step`. */
    values: Record<string, (number | null)[]>;
  }[];
}
