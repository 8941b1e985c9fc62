/** `lazyscope map`: both dictionaries of a comparison laid out in the plane, for the explorer. */
import type { JobWork } from '../commandLine/jobCommand.ts';
import { table } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    map: typeof run;
  }
}

export const run: JobWork<'map'> = async ({ store, report, signal, startBackend }, given) => {
  const { dictionaryMap } = await import('../../sae/comparison/dictionaryMap.ts');
  await startBackend();
  const maps: { comparison: string; points: number; seconds: number }[] = [];
  for (const name of given.comparison) {
    const started = performance.now();
    const { points } = await dictionaryMap({ store, name, maxPoints: given.points, report, signal });
    maps.push({ comparison: name, points, seconds: (performance.now() - started) / 1000 });
  }
  return {
    document: { maps },
    text: table(
      ['comparison', 'points', 'seconds'],
      maps.map(({ comparison, points, seconds }) => [comparison, points, seconds.toFixed(1)]),
    ),
  };
};
