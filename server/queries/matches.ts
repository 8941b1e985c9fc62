/** matches.parquet of a comparison, a page at a time, with both sides' features beside each match. */
import { existsSync } from 'node:fs';
import { sharedAtThreshold } from '../../sae/comparison/sharedLinks.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { matchTable, matchView } from '../../sae/spec/tables/matches.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, orderOf, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { MatchListInput, MatchRow } from '../contract/comparisons.ts';
import type { DictionaryReference, Page, TokenText } from '../contract/tokens.ts';
import { comparisonManifest } from './comparisons.ts';
import { modelOfRun, runManifest } from './dictionaries.ts';

const conditions = {
  shared: 'found.shared = $shared',
  minCosine: '"decoderCosine" >= $minCosine',
  maxCosine: '"decoderCosine" <= $maxCosine',
} as const;

/** The other side's columns, or an empty table of the same shape where it isn't indexed. */
const side = (parameter: 'a' | 'b', indexed: boolean) =>
  indexed
    ? `(SELECT latent AS id, density, list_slice("promotedTokens", 1, 5) AS promoted FROM ${storedTable(featureTable, parameter)})`
    : `(SELECT NULL::INTEGER AS id, NULL::DOUBLE AS density, NULL::INTEGER[] AS promoted)`;

export async function listMatches(server: ServerContext, input: MatchListInput): Promise<Page<MatchRow>> {
  const manifest = await comparisonManifest(server, input.name);
  const pathOf = ({ run, seed }: DictionaryReference) => server.store.features(run, seed);
  const [a, b] = [pathOf(manifest.a), pathOf(manifest.b)];
  const given = Object.fromEntries(
    Object.keys(conditions)
      .map((name) => [name, input[name as keyof typeof conditions]] as const)
      .filter(([, value]) => value !== undefined),
  );
  const where = Object.entries(conditions)
    .filter(([name]) => name in given)
    .map(([, condition]) => condition);
  const filter = where.length ? `WHERE ${where.join(' AND ')}` : '';
  const path = server.store.comparisonMatches(input.name);
  const { threshold = manifest.threshold } = input;
  const moved = threshold !== manifest.threshold;
  const at: Record<string, number> = moved ? { threshold } : {};
  const stored = storedTable(matchTable);
  const matches = `FROM (SELECT ${moved ? `* REPLACE (${sharedAtThreshold} AS shared)` : '*'} FROM ${stored}) found ${filter}`;
  const [count] = await queryParquet(`SELECT count(*) AS total ${matches}`, { path, ...at, ...given });
  const rows = await queryRows(
    matchView,
    `SELECT ${columnList(matchTable, 'm')},
       a.density AS "densityA", b.density AS "densityB", a.promoted AS "promotedA", b.promoted AS "promotedB"
     FROM (SELECT * ${matches}) m
     LEFT JOIN ${side('a', existsSync(a))} a ON a.id = m.latent
     LEFT JOIN ${side('b', existsSync(b))} b ON b.id = m."decoderMatch"
     ORDER BY ${orderOf(matchView, input.sort, input.order, 'latent')} LIMIT $limit OFFSET $offset`,
    {
      path,
      ...at,
      ...given,
      ...(existsSync(a) ? { a } : {}),
      ...(existsSync(b) ? { b } : {}),
      limit: input.limit,
      offset: input.offset,
    },
  );
  const [labelsA, labelsB] = await Promise.all([manifest.a, manifest.b].map((d) => server.labels.of(d)));
  const [textsA, textsB] = await Promise.all([manifest.a, manifest.b].map((d) => tokenTexts(server, d.run)));
  return {
    total: Number(count.total),
    rows: rows.map((row) => ({
      ...row,
      decoderMatch: row.decoderMatch < 0 ? null : row.decoderMatch,
      encoderMatch: row.encoderMatch < 0 ? null : row.encoderMatch,
      labelA: labelsA.name(row.latent),
      labelB: row.decoderMatch < 0 ? null : labelsB.name(row.decoderMatch),
      promotedA: textsA(row.promotedA ?? []),
      promotedB: textsB(row.promotedB ?? []),
    })),
  };
}

async function tokenTexts(server: ServerContext, run: string): Promise<(ids: number[]) => TokenText[]> {
  const known = existsSync(server.store.runManifest(run));
  const model = known ? await modelOfRun(server, await runManifest(server, run)) : null;
  return server.tokens.of(model).texts;
}
