/** `lazyscope map`: both dictionaries of a comparison laid out in the plane, for the explorer. */
import { Command } from 'commander';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

export function mapCommand(): Command {
  const command = new Command('map')
    .description('lay the dictionaries of a comparison out on a map (UMAP of their decoder rows)')
    .argument('<comparison...>', 'comparisons')
    .option('--points <n>', 'at most, of both dictionaries together', positiveInteger, 131_072);
  return withCommonOptions(command).action((names: string[], given: { points: number }) =>
    runCommand(command, async ({ store, report, startBackend }) => {
      const { dictionaryMap } = await import('../../sae/comparison/dictionaryMap.ts');
      await startBackend();
      const maps: { comparison: string; points: number; seconds: number }[] = [];
      for (const name of names) {
        const started = performance.now();
        const { points } = await dictionaryMap({ store, name, maxPoints: given.points, report });
        maps.push({ comparison: name, points, seconds: (performance.now() - started) / 1000 });
      }
      return {
        document: { maps },
        text: table(
          ['comparison', 'points', 'seconds'],
          maps.map(({ comparison, points, seconds }) => [comparison, points, seconds.toFixed(1)]),
        ),
      };
    }),
  );
}
