/** `lazyscope evaluate`: L0, FVU, cross-entropy recovered and the rest, on held-out tokens. */
import { Command } from 'commander';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import { positiveInteger, seedList, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

interface Options {
  seeds?: number[];
  maxTokens?: number;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('evaluate trained dictionaries on held-out tokens')
    .argument('<run...>', 'runs')
    .option('--seeds <list>', 'seeds; all by default', seedList)
    .option('--max-tokens <n>', 'held-out tokens to use; all by default', positiveInteger);
  return withCommonOptions(command).action((names: string[], given: Options) =>
    runCommand(command, async ({ store, report, startBackend }) => {
      const runs = await Promise.all(names.map((name) => finishedRun(store, name)));
      const work = runs.map((run) => ({ run, seeds: seedsOf(run, given.seeds) }));
      const { evaluate } = await import('../../sae/evaluation/evaluate.ts');
      await startBackend();
      const evaluations: Evaluation[] = [];
      for (const { run, seeds } of work) {
        const model = await modelOfRun(store, run);
        for (const seed of seeds)
          evaluations.push(
            await evaluate({ store, run: run.name, seed, model, report, maxTokens: given.maxTokens }),
          );
        model.dispose();
      }
      return { document: { evaluations }, text: evaluationTable(evaluations) };
    }),
  );
}

export function evaluationTable(evaluations: readonly Evaluation[]): string {
  return table(
    ['run', 'seed', 'L0', 'FVU', 'CE recovered', 'dead'],
    evaluations.map((e) => [
      e.run,
      e.seed,
      figure(e.l0, 1),
      figure(e.fvu),
      percent(e.ceRecovered),
      percent(e.deadFraction),
    ]),
  );
}
