import { existsSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { isLazyscopeError } from '../../sae/errors.ts';
import { placeOf } from '../../sae/spec/hooksOf.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { evaluationKind } from '../../sae/spec/manifests/evaluation.ts';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import { probesKind } from '../../sae/spec/manifests/probes.ts';
import { settingOf } from '../../sae/spec/architectures/architectures.ts';
import type { ServerContext } from '../context.ts';
import type { EvaluationFault, RunDetail, RunRow } from '../contract/runs.ts';
import { modelOfRun, runManifest, runManifests } from './dictionaries.ts';
import { trainingProgress } from './trainingProgress.ts';

export async function listRuns(server: ServerContext): Promise<RunRow[]> {
  const { manifests } = await runManifests(server);
  const rows = await Promise.all(manifests.map((manifest) => rowsOfRun(server, manifest)));
  return rows.flat();
}

export async function getRun(server: ServerContext, name: string): Promise<RunDetail> {
  const manifest = await runManifest(server, name);
  const seeds = await Promise.all(
    manifest.config.seeds.map(async (seed) => ({
      seed,
      ...(await evaluationOf(server, name, seed)),
      probes: await server.manifests.read(server.store.probes(name, seed), probesKind).catch(() => null),
      indexed: existsSync(server.store.features(name, seed)),
    })),
  );
  const training = await trainingProgress(server, manifest);
  return {
    manifest: withoutTextFolder(manifest),
    training,
    model: (await modelOfRun(server, manifest))?.name ?? null,
    seeds,
  };
}

/** A text that a run read from a file is named to others by the name of the file: where that lies is a matter of the machine. */
export function withoutTextFolder(run: RunManifest): RunManifest {
  const { fromModel } = run;
  return fromModel && isAbsolute(fromModel.text)
    ? { ...run, fromModel: { ...fromModel, text: basename(fromModel.text) } }
    : run;
}

/** One that can't be read is not the same as none: evaluating again is the remedy, and nobody should wait for it. */
async function evaluationOf(
  { store, manifests }: ServerContext,
  run: string,
  seed: number,
): Promise<{ evaluation: Evaluation | null; evaluationFault: EvaluationFault | null }> {
  try {
    const evaluation = await manifests.read(store.evaluation(run, seed), evaluationKind);
    return { evaluation, evaluationFault: null };
  } catch (error) {
    const code = isLazyscopeError(error) ? error.code : 'corrupt';
    if (code === 'not_found') return { evaluation: null, evaluationFault: null };
    return { evaluation: null, evaluationFault: code === 'newer' ? 'newer' : 'damaged' };
  }
}

async function rowsOfRun(server: ServerContext, manifest: RunManifest): Promise<RunRow[]> {
  const { config, name } = manifest;
  const model = (await modelOfRun(server, manifest))?.name ?? null;
  const training = await trainingProgress(server, manifest);
  return Promise.all(
    config.seeds.map(async (seed) => {
      const { evaluation, evaluationFault } = await evaluationOf(server, name, seed);
      return {
        name,
        seed,
        architecture: config.architecture,
        capture: config.capture,
        model,
        hook: placeOf(config),
        width: config.width,
        d: manifest.d,
        status: manifest.status,
        createdAt: manifest.createdAt,
        step: training?.step ?? manifest.step,
        training,
        totalSteps: manifest.totalSteps,
        tokens: config.tokens,
        seconds: manifest.seconds,
        tokensPerSecond: manifest.tokensPerSecond,
        backend: manifest.environment.backend,
        batchSize: config.batchSize,
        learningRate: config.learningRate,
        k: settingOf(config, 'k'),
        sparsityCoefficient: settingOf(config, 'sparsityCoefficient'),
        targetL0: settingOf(config, 'targetL0'),
        l0: evaluation?.l0 ?? null,
        fvu: evaluation?.fvu ?? null,
        explainedVariance: evaluation?.explainedVariance ?? null,
        ceRecovered: evaluation?.ceRecovered ?? null,
        deadFraction: evaluation?.deadFraction ?? null,
        evaluationFault,
        indexed: existsSync(server.store.features(name, seed)),
      };
    }),
  );
}
