/** `lazyscope index`: for every latent its density, histogram, examples, tokens and neighbours. */
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { table } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    index: typeof run;
  }
}

export const run: JobWork<'index'> = async ({ store, report, signal, startBackend }, given) => {
  const runs = await Promise.all(given.run.map((name) => finishedRun(store, name)));
  const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
  const { indexFeatures } = await import('../../sae/features/indexFeatures.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  await startBackend();
  const indexed: { run: string; seed: number; features: number }[] = [];
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
    model.dispose();
  }
  return {
    document: { indexed },
    text: table(
      ['run', 'seed', 'features'],
      indexed.map(({ run, seed, features }) => [run, seed, features]),
    ),
  };
};
