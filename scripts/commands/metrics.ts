/** `lazyscope metrics`: the curves of a run, as tables and logs of other tools. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

interface Options {
  to: string;
  format: string;
}

export function metrics(): Command {
  const command = new Command('metrics')
    .description('write the metrics of a run, finished or not, for pandas, TensorBoard or W&B')
    .argument('<run>', 'the run')
    .requiredOption('--to <path>', 'a file, or for tensorboard and wandb a folder, that does not exist yet')
    .option('--format <format>', 'feather, csv, parquet, tensorboard or wandb', 'feather');
  return withStoreOptions(command).action((name: string, { to, format: asked }: Options) =>
    runCommand(command, async ({ store }) => {
      const { exportMetrics, metricsFormats } = await import('../../sae/training/exportMetrics.ts');
      const { readMetrics } = await import('../../sae/training/metrics.ts');
      const { runKind } = await import('../../sae/spec/manifests/run.ts');
      const { readManifest } = await import('../../sae/store/readManifest.ts');
      const format = metricsFormats.find((known) => known === asked);
      if (!format)
        throw new LazyscopeError(
          'bad_input',
          `--format ${asked}: choose one of ${metricsFormats.join(', ')}.`,
        );
      if (!existsSync(store.runManifest(name)))
        throw new LazyscopeError(
          'not_found',
          `There is no run '${name}' in '${store.root}': train it first, or name another data folder with --data.`,
        );
      const { config, createdAt } = await readManifest(store.runManifest(name), runKind);
      if (!existsSync(store.runMetrics(name)))
        throw new LazyscopeError(
          'not_found',
          `Run '${name}' has no metrics: it was imported, or is just beginning.`,
        );
      const rows = await readMetrics(store.runMetrics(name));
      await exportMetrics(to, format, { createdAt, seeds: config.seeds }, rows);
      const path = resolve(to);
      return {
        document: { run: name, format, path, rows: rows.length },
        text: `Wrote ${rows.length} rows of run '${name}' as ${format} to ${path}.`,
      };
    }),
  );
}
