/** `lazyscope sparsity`: how lazy the neurons of a model are on a text. */
import { Command } from 'commander';
import type { SparsityReport } from '../../sae/store/manifests.ts';
import { loadModel } from '../commandLine/models.ts';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

interface Options {
  model: string;
  text: string;
  name?: string;
  maxTokens: number;
  contextLength?: number;
}

export function sparsityCommand(): Command {
  const command = new Command('sparsity')
    .description("measure the activation sparsity of a model's MLP neurons on a text")
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .requiredOption('--text <file|dataset>', 'a UTF-8 file, dataset:moby-dick or dataset:sotu')
    .option('--name <name>', "of the report; by default the model's")
    .option('--max-tokens <n>', 'tokens to measure on', positiveInteger, 65_536)
    .option('--context-length <tokens>', 'tokens a context', positiveInteger);
  return withCommonOptions(command).action((given: Options) =>
    runCommand(command, async (session) => {
      const { measureSparsity } = await import('../../sae/sparsity/measureSparsity.ts');
      const { readText } = await import('../../sae/activations/text.ts');
      const text = await readText(given.text);
      await session.startBackend();
      const model = await loadModel(session.store, given.model);
      const report = await measureSparsity({
        store: session.store,
        name: given.name ?? model.name,
        model,
        text,
        maxTokens: given.maxTokens,
        contextLength: given.contextLength,
        report: session.report,
        signal: session.signal,
      });
      return { document: report, text: sparsityTable(report) };
    }),
  );
}

export function sparsityTable(report: SparsityReport): string {
  return table(
    ['layer', 'neurons', 'active', 'dead', 'CETT at 2 %', 'active at CETT 0.2'],
    report.layers.map((l) => [
      l.layer,
      l.neurons,
      percent(l.activationRatio),
      percent(l.deadRate),
      figure(l.cett),
      percent(l.ratioAtCett),
    ]),
  );
}
