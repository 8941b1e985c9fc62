/** features.parquet, a page at a time, with what comparisons and people add to it. */
import { z } from 'zod';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureListInput, FeatureRow } from '../contract/features.ts';
import type { DictionaryReference, Page, TokenText } from '../contract/tokens.ts';
import { modelOfRun } from './dictionaries.ts';
import { integersFrom, listParameter } from './listParameter.ts';

const rowSchema = z.object({
  latent: z.number(),
  density: z.number(),
  firings: z.number(),
  dead: z.boolean(),
  maxActivation: z.number(),
  meanActivation: z.number(),
  histogram: z.array(z.number()),
  decoderNorm: z.number(),
  encoderDecoderCosine: z.number(),
  promotedTokens: z.array(z.number()),
  topTokens: z.array(z.number()),
  topTokenCounts: z.array(z.number()),
  stability: z.number().nullable(),
});

const sortColumns = {
  latent: 'latent',
  density: 'density',
  firings: 'firings',
  maxActivation: '"maxActivation"',
  meanActivation: '"meanActivation"',
  decoderNorm: '"decoderNorm"',
  encoderDecoderCosine: '"encoderDecoderCosine"',
  stability: 'stability',
} as const satisfies Record<FeatureListInput['sort'], string>;

/** One row a latent, `stability` among its columns. The joined list has one entry a latent, in order. */
const table = `
  WITH shared AS (
    SELECT unnest(range(len(counts))) AS latent, unnest(counts) AS seeds
    FROM (SELECT ${integersFrom('sharedWith')} AS counts)
  ), features AS (
    SELECT f.*, CASE WHEN $compared > 0 THEN shared.seeds / $compared::DOUBLE END AS stability
    FROM read_parquet($path) f LEFT JOIN shared USING (latent)
  )`;

const conditions = {
  minDensity: 'density >= $minDensity',
  maxDensity: 'density <= $maxDensity',
  dead: 'dead = $dead',
  minStability: 'stability >= $minStability',
  maxStability: 'stability <= $maxStability',
  latent: 'latent = $latent',
  token: `(list_has_any("promotedTokens", ${integersFrom('token')}) OR list_has_any("topTokens", ${integersFrom('token')}))`,
} as const satisfies Record<keyof FeatureListInput['filter'], string>;

const promotedInARow = 5;
const countedInARow = 5;

export async function featurePage(
  server: ServerContext,
  run: RunManifest,
  input: FeatureListInput,
): Promise<Page<FeatureRow>> {
  const { sort, order, offset, limit, filter } = input;
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const { token, ...numbers } = filter;
  const bounds = {
    ...numbers,
    ...(token === undefined ? {} : { token: listParameter(tokens.find(token)) }),
  };
  const given = Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined));
  const where = Object.entries(conditions)
    .filter(([name]) => name in given)
    .map(([, condition]) => condition);
  const filtered = `${table} SELECT $SELECT FROM features ${where.length ? `WHERE ${where.join(' AND ')}` : ''}`;
  const stability = await server.sharing.stability(input, run.config.width);
  const params = {
    path: server.store.features(input.run, input.seed),
    sharedWith: listParameter(stability.sharedWith),
    compared: stability.compared,
    ...given,
  };
  const [count] = await queryParquet(filtered.replace('$SELECT', 'count(*) AS total'), params);
  const rows = await queryParquet(
    `${filtered.replace(
      '$SELECT',
      Object.keys(rowSchema.shape)
        .map((column) => `"${column}"`)
        .join(', '),
    )}
     ORDER BY ${sortColumns[sort]} ${order === 'asc' ? 'ASC' : 'DESC'} NULLS LAST, latent
     LIMIT $limit OFFSET $offset`,
    { ...params, limit, offset },
  );
  const labels = await server.labels.list({ run: input.run, seed: input.seed });
  const labelOf = new Map(labels.map(({ latent, label }) => [latent, label]));
  return {
    total: Number(count.total),
    rows: rows.map((cells) => {
      const { promotedTokens, topTokens, topTokenCounts, ...row } = rowSchema.parse(cells);
      return {
        ...row,
        promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)),
        topTokens: tokens
          .texts(topTokens.slice(0, countedInARow))
          .map((text, i) => ({ ...text, count: topTokenCounts[i] })),
        label: labelOf.get(row.latent) || null,
      };
    }),
  };
}

/** Density and promoted tokens of some latents of one dictionary; nothing when it isn't indexed. */
export async function featureGlances(
  server: ServerContext,
  run: RunManifest,
  dictionary: DictionaryReference,
  latents: readonly number[],
): Promise<Map<number, { density: number; maxActivation: number; promoted: TokenText[] }>> {
  const path = server.store.features(dictionary.run, dictionary.seed);
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const rows = await queryParquet(
    `SELECT latent, density, "maxActivation", "promotedTokens" FROM read_parquet($path)
     WHERE list_contains(${integersFrom('latents')}, latent)`,
    { path, latents: listParameter(latents) },
  );
  const schema = rowSchema.pick({ latent: true, density: true, maxActivation: true, promotedTokens: true });
  return new Map(
    rows.map((cells) => {
      const { latent, density, maxActivation, promotedTokens } = schema.parse(cells);
      return [
        latent,
        { density, maxActivation, promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)) },
      ];
    }),
  );
}
