/** How far a training is between its checkpoints, when run.json says it anew: from the last rows of its metrics. */
import { existsSync } from 'node:fs';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ServerContext } from '../context.ts';
import type { TrainingProgress } from '../contract/runs.ts';

/** Null for a run that isn't being trained, and until it has logged something. */
export async function trainingProgress(
  { store, progress, log }: Pick<ServerContext, 'store' | 'progress' | 'log'>,
  {
    name,
    status,
    config,
    totalSteps,
  }: Pick<RunManifest, 'name' | 'status' | 'totalSteps'> & {
    config: Pick<RunManifest['config'], 'seeds' | 'batchSize'>;
  },
): Promise<TrainingProgress | null> {
  const path = store.runMetrics(name);
  if (status !== 'training' || !existsSync(path)) return null;
  const rows = await progress.read(path, config.seeds, 2).catch((error: unknown) => {
    log(`The metrics of run '${name}' can't be read.`, error);
    return null;
  });
  const last = [...(rows?.values() ?? [])].flatMap((own) => own.at(-1) ?? []);
  if (last.length === 0) return null;
  const mean = (of: (row: (typeof last)[number]) => number) => {
    const value = last.reduce((sum, row) => sum + of(row), 0) / last.length;
    return Number.isFinite(value) ? value : null;
  };
  const step = Math.max(...last.map((row) => row.step));
  const tokensPerSecond = last[0].tokensPerSecond;
  const left = (totalSteps - step) * config.batchSize * config.seeds.length;
  return {
    step,
    loss: mean((row) => row.loss),
    fvu: mean((row) => row.fvu),
    l0: mean((row) => row.l0),
    deadFraction: mean((row) => row.deadFraction),
    tokensPerSecond,
    secondsLeft: tokensPerSecond > 0 ? left / tokensPerSecond : null,
  };
}
