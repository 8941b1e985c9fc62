/** `lazyscope index`: for every latent its density, histogram, examples, tokens and neighbours. */
import { Command } from 'commander';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import { seedList, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

export function indexCommand(): Command {
  const command = new Command('index')
    .description('index the features of trained dictionaries for browsing')
    .argument('<run...>', 'runs')
    .option('--seeds <list>', 'seeds; all by default', seedList);
  return withCommonOptions(command).action((names: string[], given: { seeds?: number[] }) =>
    runCommand(command, async ({ store, report, startBackend }) => {
      const runs = await Promise.all(names.map((name) => finishedRun(store, name)));
      const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
      const { indexFeatures } = await import('../../sae/features/indexFeatures.ts');
      await startBackend();
      const indexed: { run: string; seed: number; features: number }[] = [];
      for (const { run, seeds } of work) {
        const model = await modelOfRun(store, run);
        for (const seed of seeds) {
          const { features } = await indexFeatures({ store, run: run.name, seed, model, report });
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
    }),
  );
}
