/** The feature list against DuckDB, which sorts and filters the same file on its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { join } from 'node:path';
import { Random } from '../../sae/numerics/random.ts';
import { featureView } from '../../sae/spec/tables/features.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { orderOf } from '../../sae/store/tableSql.ts';
import { featureListInput } from '../contract/features.ts';
import { writeFixtureStore } from '../fixtures/writeFixtureStore.ts';
import { openContext } from '../openContext.ts';
import { listFeatures } from './features.ts';

let root: string;
let opened: Awaited<ReturnType<typeof openContext>>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lazyscope-features-'));
  await writeFixtureStore(root);
  opened = await openContext({
    dataFolder: root,
    bundledModels: [],
    version: '0.0.0-test',
    program: [process.execPath, 'none'],
    log: () => {},
  });
});
afterAll(async () => {
  await opened.close();
  await rm(root, { recursive: true, force: true });
});

const dictionary = { run: 'fixture-topk', seed: 1 };

test('pages of any filter and order are those that DuckDB finds', async () => {
  const { context } = opened;
  const random = Random.fromSeed(3, 'filters');
  const any = <Item>(items: readonly Item[]): Item => items[random.below(items.length)];
  const maybe = <Value>(value: () => Value) => (random.below(3) === 0 ? value() : undefined);
  const { compared, sharedWith } = await context.seedStability.stability(dictionary, 64);
  expect(compared).toBeGreaterThan(1);
  const path = context.store.features(dictionary.run, dictionary.seed);
  const stability = `(SELECT unnest(range(0, ${sharedWith.length})) AS latent, unnest([${sharedWith.join()}]) / ${compared}.0 AS stability)`;
  let kept = 0;
  for (let trial = 0; trial < 60; trial++) {
    const filter = {
      minDensity: maybe(() => 0.2 * random.uniform()),
      maxDensity: maybe(() => random.uniform()),
      dead: maybe(() => random.below(2) === 1),
      minStability: maybe(() => any([0, 0.4, 0.5, 1])),
      maxStability: maybe(() => any([0, 0.5, 0.6, 1])),
      latents: maybe(() => Array.from({ length: 40 }, () => random.below(80))),
    };
    const where = [
      filter.minDensity !== undefined && `density >= ${filter.minDensity}`,
      filter.maxDensity !== undefined && `density <= ${filter.maxDensity}`,
      filter.dead !== undefined && `dead = ${filter.dead}`,
      filter.minStability !== undefined && `stability >= ${filter.minStability}`,
      filter.latents !== undefined && `f.latent IN (${filter.latents.join()})`,
      filter.maxStability !== undefined && `stability <= ${filter.maxStability}`,
    ].filter((one) => one !== false);
    const sort = any(sortsOf(featureView));
    const order = any(['asc', 'desc'] as const);
    const offset = random.below(20);
    const limit = 1 + random.below(30);
    const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
    const page = await listFeatures(
      context,
      featureListInput.parse({ ...dictionary, sort, order, offset, limit, filter: given }),
    );
    const found = await queryParquet(
      `SELECT f.latent FROM read_parquet($path) f JOIN ${stability} s ON s.latent = f.latent
       WHERE ${['true', ...where].join(' AND ')}
       ORDER BY ${orderOf(featureView, sort, order, 'maxActivation').replace('"latent"', 'f."latent"')} DESC, f.latent`,
      { path },
    );
    expect(page.total).toBe(found.length);
    expect(page.rows.map(({ latent }) => latent)).toEqual(
      found.slice(offset, offset + limit).map(({ latent }) => latent),
    );
    kept += page.rows.length;
  }
  expect(kept).toBeGreaterThan(200);
});
