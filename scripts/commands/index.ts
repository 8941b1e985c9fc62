/** `lazyscope index`: for every latent its density, histogram, examples, tokens and neighbours, and what pages and search read. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { hasModel } from '../../sae/spec/manifests/capture.ts';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { isElsewhere, jobsElsewhere } from '../commandLine/jobsElsewhere.ts';
import { modelFolder } from '../commandLine/models.ts';
import { partGiven, partOutcome } from '../commandLine/partOutcome.ts';
import { refuseLoneFlags } from '../commandLine/runOnQueue.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';
import { leftOut } from './evaluate.ts';

declare global {
  interface JobCommands {
    index: typeof run;
  }
}

export const run: JobWork<'index'> = async (session, given) => {
  refuseLoneFlags(given);
  if (isElsewhere(given)) return indexElsewhere(session, given);
  const part = partGiven(given.part);
  const runs = await Promise.all(given.run.map((name) => finishedRun(session.store, name)));
  const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
  if (given.searchOnly && part)
    throw new LazyscopeError('bad_input', '--search-only has no parts: leave --part out.');
  if (given.searchOnly) return indexForSearch(session, work);
  const { store, report, signal, startBackend } = session;
  const { indexFeatures, indexPart } = await import('../../sae/features/indexFeatures.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const excluded = given.exclude === undefined ? {} : { exclude: parseExclusionRule(given.exclude) };
  await startBackend();
  if (part)
    return partOutcome(
      part,
      work.flatMap(({ run, seeds }) =>
        seeds.map((seed) => async () => {
          const model = await modelOfRun(store, run);
          try {
            return await indexPart({ store, run: run.name, seed, model, report, signal, ...excluded }, part);
          } finally {
            model?.dispose();
          }
        }),
      ),
    );
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
        ...excluded,
      });
      indexed.push({ run: run.name, seed, features });
    }
    if (!model) without.push(run);
    model?.dispose();
  }
  return {
    document: { indexed },
    text: `${indexedTable(indexed)}${leftOut(without, 'effects on tokens, neurons, texts and their search')}`,
  };
};

function indexedTable(indexed: readonly { run: string; seed: number; features: number }[]): string {
  return table(
    ['run', 'seed', 'features'],
    indexed.map(({ run, seed, features }) => [run, seed, features]),
  );
}

/** What `run` gives, made by workers or a cluster: a job a run. */
async function indexElsewhere(session: Session, given: CommandOptionsOf<'index'>): Promise<Outcome> {
  if (given.searchOnly && given.parts !== undefined)
    throw new LazyscopeError('bad_input', '--search-only has no parts: leave --parts out.');
  const { results, failure } = await jobsElsewhere(
    session,
    'index',
    given,
    given.run.map((name) => ({ name, options: { run: name } })),
  );
  const indexed = (results as { indexed: { run: string; seed: number; features: number }[] }[]).flatMap(
    (one) => one.indexed,
  );
  const known = indexed.filter(({ features }) => features !== undefined);
  return { document: { indexed }, text: indexedTable(known), failure };
}

/** Reads the stored examples and tokens alone: neither the model's weights nor the dictionary's. */
async function indexForSearch(
  { store, report, signal }: Session,
  work: readonly { run: RunManifest; seeds: readonly number[] }[],
): Promise<Outcome> {
  const { openCapture } = await import('../../sae/activations/openCapture.ts');
  const { writeFeaturePages } = await import('../../sae/features/featurePages.ts');
  const { indexSearch } = await import('../../sae/features/indexSearch.ts');
  const { modelPlace } = await import('../../sae/models/modelPlace.ts');
  const { openModelFiles } = await import('../../sae/models/openModelFiles.ts');
  const { bringIn } = await import('../../sae/store/remote/bringIn.ts');
  const indexed: { run: string; seed: number }[] = [];
  for (const { run, seeds } of work) {
    const capture = await openCapture(store, run.config.capture, { hooks: [] });
    const { model } = capture.manifest;
    const place = () => modelFolder(store, modelPlace(store, model) ?? model.name);
    // The tokenizer of a folder is there already; that of a GGUF file comes with it.
    if (hasModel(capture.manifest) && !existsSync(store.vocabulary(model.sha256))) await bringIn(place());
    const tokenizer = hasModel(capture.manifest) ? () => openModelFiles(place()).tokenizer() : null;
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
