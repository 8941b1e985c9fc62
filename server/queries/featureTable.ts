/** features.parquet, a page at a time, with what comparisons and people add to it. */
import { featureDetailColumns, featureTable, featureView } from '../../sae/spec/tables/features.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, orderOf, storedTable } from '../../sae/store/tableSql.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureListInput, FeaturePage } from '../contract/features.ts';
import type { DictionaryReference, TokenText } from '../contract/tokens.ts';
import { modelOfRun } from './dictionaries.ts';
import { integersFrom, listBounds, listParameter } from './listParameter.ts';
import { textMatch } from './search.ts';
import { textFilter } from './textFilter.ts';

const detail: ReadonlySet<string> = new Set(featureDetailColumns);
/** What a list shows. */
const listed = Object.fromEntries(Object.entries(featureView).filter(([name]) => !detail.has(name))) as Omit<
  typeof featureView,
  (typeof featureDetailColumns)[number]
>;

/** One row a latent, `stability` among its columns. The joined list has one entry a latent, in order, from latent `firstShared` on. */
const featuresWithStability = `
  WITH shared AS (
    SELECT unnest(range($firstShared, $firstShared + len(counts))) AS latent, unnest(counts) AS seeds
    FROM (SELECT ${integersFrom('sharedWith')} AS counts)
  ), features AS (
    SELECT f.*, CASE WHEN $compared > 0 THEN shared.seeds / $compared::DOUBLE END AS stability
    FROM ${storedTable(featureTable)} f LEFT JOIN shared USING (latent)
  )`;

function hasToken(parameter: string): string {
  return `(list_has_any("promotedTokens", ${integersFrom(parameter)}) OR list_has_any("topTokens", ${integersFrom(parameter)}))`;
}

const conditions = {
  minDensity: 'density >= $minDensity',
  maxDensity: 'density <= $maxDensity',
  dead: 'dead = $dead',
  minStability: 'stability >= $minStability',
  maxStability: 'stability <= $maxStability',
  latent: 'latent = $latent',
  token: hasToken('token'),
  text: `latent IN (SELECT unnest(${integersFrom('text')}))`,
  labelled: `latent IN (SELECT unnest(${integersFrom('labelled')}))`,
  unlabelled: `latent NOT IN (SELECT unnest(${integersFrom('unlabelled')}))`,
  list: `latent IN (SELECT unnest(${integersFrom('list')}))`,
  textOrToken: `(latent IN (SELECT unnest(${integersFrom('textOrToken')})) OR ${hasToken('textTokens')})`,
} as const satisfies Record<keyof FeatureListInput['filter'] | 'textOrToken' | 'unlabelled', string>;

const promotedInARow = 5;
const countedInARow = 5;

export async function featurePage(
  server: ServerContext,
  run: RunManifest,
  input: FeatureListInput & { threshold?: number | undefined },
): Promise<FeaturePage> {
  const { sort, order, offset, limit, filter } = input;
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const { token, text, labelled, list, ...numbers } = filter;
  const labels = await server.labels.of(input);
  const found = text === undefined ? undefined : await textFilter(server, input, { text, tokens, labels });
  const bounds = {
    ...numbers,
    ...(token === undefined ? {} : { token: listParameter(tokens.find(token)) }),
    ...(labelled === undefined
      ? {}
      : { [labelled ? 'labelled' : 'unlabelled']: listParameter([...labels.latents()]) }),
    ...(list === undefined ? {} : { list: listParameter(await latentsOnList(server, input, list)) }),
    ...found?.parameters,
  };
  const given = Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined));
  const where = Object.entries(conditions)
    .filter(([name]) => name in given)
    .map(([, condition]) => condition);
  const select = (what: string) =>
    `${featuresWithStability} SELECT ${what} FROM features ${where.length ? `WHERE ${where.join(' AND ')}` : ''}`;
  const stability = await server.seedStability.stability(input, run.config.width, input.threshold);
  const params = {
    path: server.store.features(input.run, input.seed),
    // Of one latent the list need not have the others.
    sharedWith: listParameter(
      filter.latent === undefined
        ? stability.sharedWith
        : stability.sharedWith.subarray(filter.latent, filter.latent + 1),
    ),
    firstShared: filter.latent ?? 0,
    compared: stability.compared,
    ...given,
  };
  const [count] = await queryParquet(select('count(*) AS total'), params);
  const rows = await queryRows(
    listed,
    `${select(columnList(listed))} ORDER BY ${orderOf(featureView, sort, order, 'maxActivation')} DESC, latent LIMIT $limit OFFSET $offset`,
    { ...params, limit, offset },
  );
  return {
    total: Number(count.total),
    rows: rows.map(({ promotedTokens, topTokens, topTokenCounts, ...row }) => {
      return {
        ...row,
        promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)),
        topTokens: tokens
          .texts(topTokens.slice(0, countedInARow))
          .map((text, i) => ({ ...text, count: topTokenCounts[i] })),
        label: labels.name(row.latent),
        match: found?.matches ? textMatch(found.matches, row.latent, tokens) : null,
      };
    }),
    searched: found ? (found.matches ? 'examples, tokens and labels' : 'tokens and labels') : null,
  };
}

/** The latents of a dictionary that are on a list. */
async function latentsOnList(
  server: ServerContext,
  { run, seed }: DictionaryReference,
  list: string,
): Promise<number[]> {
  const members = await server.lists.members(list);
  return members.filter((one) => one.run === run && one.seed === seed).map(({ latent }) => latent);
}

const glanced = someOf(featureTable, 'latent', 'density', 'maxActivation', 'promotedTokens', 'topTokens');

/** Density, promoted tokens and commonest tokens of some latents of one dictionary; nothing when it isn't indexed. */
export async function featureGlances(
  server: ServerContext,
  run: RunManifest,
  dictionary: DictionaryReference,
  latents: readonly number[],
): Promise<
  Map<number, { density: number; maxActivation: number; promoted: TokenText[]; topTokens: TokenText[] }>
> {
  const path = server.store.features(dictionary.run, dictionary.seed);
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const rows = await queryRows(
    glanced,
    `SELECT ${columnList(glanced)} FROM ${storedTable(featureTable)}
     WHERE latent BETWEEN $least AND $most AND list_contains(${integersFrom('latents')}, latent)`,
    { path, latents: listParameter(latents), ...listBounds(latents) },
  );
  return new Map(
    rows.map(({ latent, density, maxActivation, promotedTokens, topTokens }) => [
      latent,
      {
        density,
        maxActivation,
        promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)),
        topTokens: tokens.texts(topTokens.slice(0, countedInARow)),
      },
    ]),
  );
}
