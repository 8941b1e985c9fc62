/** `lazyscope index`: for every latent its density, histogram, examples, tokens and neighbours, and what pages and search read. */
import { existsSync } from 'node:fs';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { hasModel } from '../../sae/spec/manifests/capture.ts';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { modelFolder } from '../commandLine/models.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';
import { leftOut } from './evaluate.ts';

declare global {
  interface JobCommands {
    index: typeof run;
  }
}

export const run: JobWork<'index'> = async (session, given) => {
  const runs = await Promise.all(given.run.map((name) => finishedRun(session.store, name)));
  const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
  if (given.searchOnly) return indexForSearch(session, work);
  const { store, report, signal, startBackend } = session;
  const { indexFeatures } = await import('../../sae/features/indexFeatures.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  await startBackend();
  const indexed: { run: string; seed: number; features: number }[] = [];
  const without: RunManifest[] = [];
  for (const { run, seeds } of work) {
    const model = await modelOfRun(store, run);
    for (const seed of seeds) {
      const { features } = await indexFeatures({
        store,
        run: run.name,
        seed,
        model,
        report,
        signal,
        ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
      });
      indexed.push({ run: run.name, seed, features });
    }
    if (!model) without.push(run);
    model?.dispose();
  }
  const indexedTable = table(
    ['run', 'seed', 'features'],
    indexed.map(({ run, seed, features }) => [run, seed, features]),
  );
  return {
    document: { indexed },
    text: `${indexedTable}${leftOut(without, 'effects on tokens, neurons, texts and their search')}`,
  };
};

/** Reads the stored examples and tokens alone: neither the model's weights nor the dictionary's. */
async function indexForSearch(
  { store, report, signal }: Session,
  work: readonly { run: RunManifest; seeds: readonly number[] }[],
): Promise<Outcome> {
  const { openCapture } = await import('../../sae/activations/openCapture.ts');
  const { writeFeaturePages } = await import('../../sae/features/featurePages.ts');
  const { indexSearch } = await import('../../sae/features/indexSearch.ts');
  const { openModelFiles } = await import('../../sae/models/openModelFiles.ts');
  const indexed: { run: string; seed: number }[] = [];
  for (const { run, seeds } of work) {
    const capture = await openCapture(store, run.config.capture);
    const { folder, name } = capture.manifest.model;
    const tokenizer = hasModel(capture.manifest)
      ? () => openModelFiles(modelFolder(store, existsSync(folder) ? folder : name)).tokenizer()
      : null;
    for (const seed of seeds) {
      await writeFeaturePages({ store, run: run.name, seed, report, signal });
      await indexSearch({ store, run: run.name, seed, capture, tokenizer, report, signal });
      indexed.push({ run: run.name, seed });
    }
    capture.close();
  }
  return {
    document: { indexed },
    text: table(
      ['run', 'seed'],
      indexed.map(({ run, seed }) => [run, seed]),
    ),
  };
}
