/** Shuffled batches of the rows of a capture that a configuration trains on. */
import type { ExclusionRule } from '../activations/exclusionRule.ts';
import type { Capture } from '../activations/openCapture.ts';
import { selectRows } from '../activations/selectRows.ts';
import { ShuffledBatches } from '../activations/shuffledBatches.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import type { BatchSource } from './batchSource.ts';

/** Order of the data: the same for every run on a capture, so that runs differ only in what their configurations say. */
const dataSeed = 0;

/** The seed of the order of the rows. */
export const rowOrderOf = (config: TrainingConfig): number => config.rowOrder ?? dataSeed;

/** The batches, and how many rows of the capture are left out. */
export function captureBatches(
  capture: Capture,
  config: TrainingConfig,
  rule: ExclusionRule,
): { source: BatchSource; excluded: number } {
  const { hook, outputHook, batchSize } = config;
  const rows = selectRows(capture, hooksOf(config), rule);
  return {
    source: new ShuffledBatches(rows, hook, { seed: rowOrderOf(config), batchSize, outputHook }),
    excluded: rows.excluded.length,
  };
}
