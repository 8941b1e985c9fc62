/** The demo's evaluations, indexes, comparisons and reports of what comes back. Each is made again when what it is about is newer than it. */
import { existsSync, statSync } from 'node:fs';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { evaluationKind } from '../../sae/spec/manifests/evaluation.ts';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import { reproducibilityKind } from '../../sae/spec/manifests/reproducibility.ts';
import type { Reproducibility } from '../../sae/spec/manifests/reproducibility.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { seedPairs } from '../commands/compare.ts';

const isNewer = (path: string, sources: string[]) =>
  existsSync(path) && sources.every((source) => statSync(path).mtimeMs >= statSync(source).mtimeMs);

export async function evaluateAndIndexDemo(
  { store, report, signal }: Session,
  runs: readonly RunManifest[],
  model: LanguageModel,
): Promise<{ evaluations: Evaluation[]; features: number }> {
  const { evaluate } = await import('../../sae/evaluation/evaluate.ts');
  const { indexFeatures } = await import('../../sae/features/indexFeatures.ts');
  const evaluations: Evaluation[] = [];
  let features = 0;
  for (const { name: run, config } of runs)
    for (const seed of config.seeds) {
      signal.throwIfAborted();
      const source = [store.dictionary(run, seed)];
      const path = store.evaluation(run, seed);
      evaluations.push(
        isNewer(path, source)
          ? await readManifest(path, evaluationKind)
          : await evaluate({ store, run, seed, model, report }),
      );
      signal.throwIfAborted();
      const indexed = [store.features(run, seed), store.examples(run, seed)];
      if (!indexed.every((file) => isNewer(file, source)))
        await indexFeatures({ store, run, seed, model, report });
      // An index has a row for each latent.
      features += config.width;
    }
  return { evaluations, features };
}

/** Every pair of seeds of each run. */
export async function compareDemo(
  { store, report, signal }: Session,
  runs: readonly RunManifest[],
): Promise<ComparisonManifest[]> {
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const nulls = new SharedNulls();
  const manifests: ComparisonManifest[] = [];
  for (const run of runs)
    for (const pair of seedPairs(run.name, run.config.seeds)) {
      signal.throwIfAborted();
      const path = store.comparisonManifest(pair.name);
      const sources = [pair.a, pair.b].map(({ run, seed }) => store.dictionary(run, seed));
      manifests.push(
        isNewer(path, sources)
          ? await readManifest(path, comparisonKind)
          : await compare({ store, ...pair, nulls, report }),
      );
    }
  return manifests;
}

/** What of each run comes back in every seed; compares nothing itself. */
export async function measureDemoReturns(
  { store, report, signal }: Session,
  runs: readonly RunManifest[],
): Promise<Reproducibility[]> {
  const { measureReproducibility } =
    await import('../../sae/comparison/reproducibility/measureReproducibility.ts');
  const found: Reproducibility[] = [];
  for (const { name, config } of runs) {
    signal.throwIfAborted();
    const path = store.reproducibility(name);
    const sources = seedPairs(name, config.seeds).map((pair) => store.comparisonManifest(pair.name));
    found.push(
      isNewer(path, sources)
        ? await readManifest(path, reproducibilityKind)
        : await measureReproducibility({ store, run: name, report, signal }),
    );
  }
  return found;
}
