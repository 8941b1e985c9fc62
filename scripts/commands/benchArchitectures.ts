import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

interface ArchitecturesOptions {
  d: number;
  width: number;
  k: number;
  l0?: number;
  batch: number;
  rounds: number;
}

/** `lazyscope bench architectures` */
export function benchAllArchitectures(): Command {
  const command = new Command('architectures')
    .description('training steps of everything that can be trained, each beside one of TopK at the same size')
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option('--width <latents>', 'of the dictionaries', positiveInteger, 12_288)
    .option('--k <n>', 'active latents a token', positiveInteger, 32)
    .option('--l0 <n>', 'latents that fire a token where thresholds decide; k when left out', positiveInteger)
    .option('--batch <tokens>', 'a step', positiveInteger, 2_048)
    .option('--rounds <n>', 'pairs of steps to time', positiveInteger, 11);
  return withCommonOptions(command).action((given: ArchitecturesOptions) =>
    runCommand(command, async (session) => {
      const { d, width, k, l0 = k, batch, rounds } = given;
      if (Math.max(k, l0) > width)
        throw new LazyscopeError(
          'bad_input',
          `--k ${k} or --l0 ${l0} is more than the ${width} latents of --width.`,
        );
      const { name, threads } = await session.startBackend();
      const { benchArchitectures } = await import('../bench/benchArchitectures.ts');
      const options = { d, width, k, l0, batchSize: batch, rounds };
      const rows = await benchArchitectures(options, session.report);
      const cell = ({ median, interval }: (typeof rows)[number]['ratio']) =>
        `${median.toFixed(2)}${interval ? ` (${interval.map((end) => end.toFixed(2)).join(' – ')})` : ''}`;
      return {
        document: { backend: name, threads, d, width, k, l0, batch, rounds, architectures: rows },
        text: [
          `${name}, ${threads} threads, ${d} × ${width}, batch ${batch}, k ${k}: times of a step over those of TopK's beside it, medians of ${rounds} pairs with their 95 % intervals.`,
          table(
            ['architecture', 'kind', 'L0', 'ms', 'CPU ms', 'ratio', 'CPU ratio'],
            rows.map((row) => [
              row.architecture,
              row.kind,
              row.l0.toFixed(1),
              row.stepMs.toFixed(1),
              row.cpuMs.toFixed(1),
              cell(row.ratio),
              cell(row.cpuRatio),
            ]),
          ),
        ].join('\n'),
      };
    }),
  );
}
