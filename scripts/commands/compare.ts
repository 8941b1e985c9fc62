/** `lazyscope compare`: which latents of one dictionary are shared with another. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ComparisonManifest, DictionaryReference } from '../../sae/store/manifests.ts';
import { dictionaryReference, finishedRun, seedsOf } from '../commandLine/dictionaries.ts';
import { fraction, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';

interface Options {
  name?: string;
  threshold?: number;
}

export interface Pair {
  name: string;
  a: DictionaryReference;
  b: DictionaryReference;
}

export function compareCommand(): Command {
  const command = new Command('compare')
    .description('compare two dictionaries, or every pair of seeds of a run')
    .argument('<run|run/seed>', 'a run, or one of its seeds as RUN/SEED')
    .argument('[run/seed]', 'the dictionary to compare it with')
    .option('--name <name>', 'of the comparison')
    .option('--threshold <cosine>', 'both cosines of a shared latent are at least this', fraction);
  return withCommonOptions(command).action((first: string, second: string | undefined, given: Options) =>
    runCommand(command, async (session) => {
      const pairs = await pairsOf(session, first, second, given.name);
      const { compare } = await import('../../sae/comparison/compare.ts');
      await session.startBackend();
      const manifests: ComparisonManifest[] = [];
      for (const pair of pairs)
        manifests.push(
          await compare({
            store: session.store,
            ...pair,
            threshold: given.threshold,
            report: session.report,
          }),
        );
      return { document: { comparisons: manifests }, text: comparisonTable(manifests) };
    }),
  );
}

async function pairsOf(
  { store }: Session,
  first: string,
  second: string | undefined,
  name: string | undefined,
): Promise<Pair[]> {
  if (second !== undefined) {
    const [a, b] = [dictionaryReference(first), dictionaryReference(second)];
    for (const { run, seed } of [a, b]) seedsOf(await finishedRun(store, run), [seed]);
    return [{ name: name ?? pairName(a, b), a, b }];
  }
  const run = await finishedRun(store, first);
  const pairs = seedPairs(run.name, run.config.seeds);
  if (pairs.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `Run '${first}' has one seed only: name a second dictionary as RUN/SEED.`,
    );
  if (name !== undefined && pairs.length > 1)
    throw new LazyscopeError(
      'bad_input',
      `--name can't name the ${pairs.length} comparisons of run '${first}': leave it out.`,
    );
  return pairs.map((pair) => ({ ...pair, name: name ?? pair.name }));
}

export function seedPairs(run: string, seeds: readonly number[]): Pair[] {
  return seeds.flatMap((a, i) =>
    seeds.slice(i + 1).map((b) => ({
      name: pairName({ run, seed: a }, { run, seed: b }),
      a: { run, seed: a },
      b: { run, seed: b },
    })),
  );
}

function pairName(a: DictionaryReference, b: DictionaryReference): string {
  return a.run === b.run ? `${a.run}-${a.seed}-${b.seed}` : `${a.run}-${a.seed}-${b.run}-${b.seed}`;
}

export function comparisonTable(manifests: readonly ComparisonManifest[]): string {
  return table(
    ['comparison', 'latents', 'shared', 'threshold', 'MMCS', 'seconds'],
    manifests.map((m) => [
      m.name,
      m.latents,
      percent(m.shared),
      figure(m.threshold, 2),
      figure(m.mmcs),
      figure(m.seconds, 1),
    ]),
  );
}
