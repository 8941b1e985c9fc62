/** `lazyscope search`: words and phrases in the examples, tokens and labels of every run and seed, as the explorer finds them. */
import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { SearchPage, SearchRow } from '../../server/client.ts';
import type { SearchContext } from '../../server/queries/search.ts';
import { bundledModels } from '../commandLine/environment.ts';
import { positiveInteger, wholeNumber, withStoreOptions } from '../commandLine/options.ts';
import { runCommand, type Outcome, type Session } from '../commandLine/runCommand.ts';
import { table } from '../commandLine/table.ts';

interface Options {
  run?: string;
  seed?: number;
  limit: number;
}

export function search(): Command {
  const command = new Command('search')
    .description('features whose examples, tokens or labels have a word or a phrase')
    .argument('<text>', 'a word or several, which are a phrase; case and accents do not matter')
    .option('--run <name>', 'search this run alone')
    .option('--seed <n>', 'search this seed alone', wholeNumber)
    .option('--limit <n>', 'features listed', positiveInteger, 20);
  return withStoreOptions(command).action((text: string, given: Options) =>
    runCommand(command, (session) => searched(session, text, given)),
  );
}

async function searched(session: Session, text: string, { run, seed, limit }: Options): Promise<Outcome> {
  const { z } = await import('zod');
  const { searchInput } = await import('../../server/contract/search.ts');
  const { searchFeatures } = await import('../../server/queries/search.ts');
  const input = searchInput.safeParse({ text, run, seed, limit });
  if (!input.success)
    throw new LazyscopeError('bad_input', `That can't be searched for: ${z.prettifyError(input.error)}`);
  const { context, close } = await openStore(session);
  try {
    const page = await searchFeatures(context, input.data);
    return { document: page, text: written(page, text) };
  } finally {
    await close();
  }
}

/** What search needs, without a server. Labels are read where no server has the database open. */
async function openStore({
  store,
  say,
}: Session): Promise<{ context: SearchContext; close(): Promise<void> }> {
  const { SearchStore } = await import('../../sae/features/searchStore.ts');
  const { ManifestCache } = await import('../../server/manifestCache.ts');
  const { TokenTexts } = await import('../../server/queries/tokenTexts.ts');
  const { AutomaticLabels } = await import('../../server/queries/automaticLabels.ts');
  const { LabelBook } = await import('../../server/queries/labelBook.ts');
  const { Database } = await import('../../server/database.ts');
  const { publishedDatabase } = await import('../../server/publishedLabels.ts');
  const manifests = new ManifestCache(store, say);
  const database = existsSync(store.database())
    ? await Database.open(store.database()).catch((error: unknown) => {
        if (!(error instanceof LazyscopeError) || error.code !== 'conflict') throw error;
        say(
          'Labels that people wrote are not searched: a server has them open. Its page /search has them too.',
        );
        return undefined;
      })
    : // A store in a bucket has labels in a file.
      await publishedDatabase(store);
  const labels = new LabelBook(database, new AutomaticLabels(store, say));
  const context = {
    store,
    manifests,
    tokens: new TokenTexts(store, [store.models(), bundledModels], say),
    search: new SearchStore(store, say),
    labels,
  };
  return { context, close: async () => database?.close() };
}

function written(page: SearchPage, text: string): string {
  const { rows, total, places, lookedAt, searched: dictionaries, missing } = page;
  const lines = rows.map((row) => [
    `${row.run}/${row.seed}/${row.latent}`,
    row.match?.peaks ?? null,
    row.match?.examples ?? null,
    row.label,
    example(row),
  ]);
  const sampled = lookedAt < places ? `, of which ${lookedAt} were looked at` : '';
  const head = `${numbered(total, 'feature')}; ${numbered(places, 'place')} in the text${sampled}; ${numbered(dictionaries, 'dictionary', 'dictionaries')} searched.`;
  const runs = [...new Set(missing.map(({ run }) => run))];
  return [
    total === 0 ? `Nothing found for '${text}'. ${head}` : head,
    ...(lines.length > 0 ? [table(['feature', 'strongest', 'examples', 'label', 'example'], lines)] : []),
    ...(missing.length > 0
      ? [
          `Only labels were searched in ${missing.length} more: run 'lazyscope index ${runs.join(' ')} --search-only'.`,
        ]
      : []),
  ].join('\n');
}

const numbered = (count: number, one: string, several = `${one}s`) =>
  `${count} ${count === 1 ? one : several}`;

/** The example with the places of the phrase in brackets. */
function example({ match, topTokens }: SearchRow): string {
  if (!match) return topTokens.map((token) => JSON.stringify(token.text)).join(' ');
  const { tokens, matches } = match.example;
  const text = tokens.map((token, at) => {
    const space = /^\s*/.exec(token.text)?.[0] ?? '';
    const opens = matches.some(({ first }) => first === at) ? '[' : '';
    const closes = matches.some(({ last }) => last === at) ? ']' : '';
    return `${space}${opens}${token.text.slice(space.length)}${closes}`;
  });
  return text.join('').replaceAll(/\s+/g, ' ').trim();
}
