/** matches.parquet of a comparison, a page at a time, with both sides' features beside each match. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { ServerContext } from '../context.ts';
import type { MatchListInput, MatchRow } from '../contract/comparisons.ts';
import type { DictionaryReference, Page, TokenText } from '../contract/tokens.ts';
import { finiteOrNull } from './cells.ts';
import { comparisonManifest } from './comparisons.ts';
import { modelOfRun, runManifest } from './dictionaries.ts';

const rowSchema = z.object({
  latent: z.number(),
  decoderMatch: z.number(),
  decoderCosine: finiteOrNull,
  encoderMatch: z.number(),
  encoderCosine: finiteOrNull,
  shared: z.boolean(),
  nearest: z.number(),
  nearestCosine: z.number(),
  activationCorrelation: finiteOrNull,
  firingJaccard: finiteOrNull,
  densityA: finiteOrNull,
  densityB: finiteOrNull,
  promotedA: z.array(z.number()).nullable(),
  promotedB: z.array(z.number()).nullable(),
});

const sortColumns = {
  latent: 'latent',
  decoderCosine: '"decoderCosine"',
  encoderCosine: '"encoderCosine"',
  nearestCosine: '"nearestCosine"',
  activationCorrelation: '"activationCorrelation"',
  firingJaccard: '"firingJaccard"',
  densityA: '"densityA"',
  densityB: '"densityB"',
} as const satisfies Record<MatchListInput['sort'], string>;

const conditions = {
  shared: 'shared = $shared',
  minCosine: '"decoderCosine" >= $minCosine',
  maxCosine: '"decoderCosine" <= $maxCosine',
} as const;

/** The other side's columns, or an empty table of the same shape where it isn't indexed. */
const side = (parameter: 'a' | 'b', indexed: boolean) =>
  indexed
    ? `(SELECT latent AS id, density, list_slice("promotedTokens", 1, 5) AS promoted FROM read_parquet($${parameter}))`
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
  const [count] = await queryParquet(`SELECT count(*) AS total FROM read_parquet($path) ${filter}`, {
    path,
    ...given,
  });
  const rows = await queryParquet(
    `SELECT m.*, a.density AS "densityA", b.density AS "densityB", a.promoted AS "promotedA", b.promoted AS "promotedB"
     FROM (SELECT * FROM read_parquet($path) ${filter}) m
     LEFT JOIN ${side('a', existsSync(a))} a ON a.id = m.latent
     LEFT JOIN ${side('b', existsSync(b))} b ON b.id = m."decoderMatch"
     ORDER BY ${sortColumns[input.sort]} ${input.order === 'asc' ? 'ASC' : 'DESC'} NULLS LAST, m.latent
     LIMIT $limit OFFSET $offset`,
    {
      path,
      ...given,
      ...(existsSync(a) ? { a } : {}),
      ...(existsSync(b) ? { b } : {}),
      limit: input.limit,
      offset: input.offset,
    },
  );
  const [textsA, textsB] = await Promise.all([manifest.a, manifest.b].map((d) => tokenTexts(server, d.run)));
  return {
    total: Number(count.total),
    rows: rows.map((cells) => {
      const row = rowSchema.parse(cells);
      return {
        ...row,
        decoderMatch: row.decoderMatch < 0 ? null : row.decoderMatch,
        encoderMatch: row.encoderMatch < 0 ? null : row.encoderMatch,
        promotedA: textsA(row.promotedA ?? []),
        promotedB: textsB(row.promotedB ?? []),
      };
    }),
  };
}

async function tokenTexts(server: ServerContext, run: string): Promise<(ids: number[]) => TokenText[]> {
  const known = existsSync(server.store.runManifest(run));
  const model = known ? await modelOfRun(server, await runManifest(server, run)) : null;
  return server.tokens.of(model).texts;
}
