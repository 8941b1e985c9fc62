/** Shuffled batches of the rows of a capture that a configuration trains on. */
import type { ExclusionRule } from '../activations/exclusionRule.ts';
import type { Capture } from '../activations/openCapture.ts';
import { jointRows, layersOf } from '../activations/jointRows.ts';
import { selectFetchedRows } from '../activations/selectRows.ts';
import { ShuffledBatches } from '../activations/shuffledBatches.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { isJoint } from '../spec/jointHook.ts';
import { blockEnds, type Layer } from '../spec/layers.ts';
import type { BatchSource } from './batchSource.ts';

/** Order of the data: the same for every run on a capture, so that runs differ only in what their configurations say. */
const dataSeed = 0;

/** The seed of the order of the rows. */
export const rowOrderOf = (config: TrainingConfig): number => config.rowOrder ?? dataSeed;

/** The batches, and how many rows of the capture are left out. Of crosscoders also the layers, which are those that the run began with where it did. */
export async function captureBatches(
  capture: Capture,
  config: TrainingConfig,
  rule: ExclusionRule,
  begun?: Layer[],
): Promise<{ source: BatchSource; excluded: number; layers?: Layer[] }> {
  const { hook, outputHook, batchSize } = config;
  const rows = await selectFetchedRows(capture, hooksOf(config), rule);
  if (isJoint(hook)) {
    const seed = rowOrderOf(config);
    const layers = begun ?? (await layersOf(rows, hook, seed));
    const joint = jointRows(rows, hook, layers);
    const source = new ShuffledBatches(joint, hook, { seed, batchSize, blocks: blockEnds(layers) });
    return { source, excluded: rows.excluded.length, layers };
  }
  return {
    source: new ShuffledBatches(rows, hook, { seed: rowOrderOf(config), batchSize, outputHook }),
    excluded: rows.excluded.length,
  };
}
