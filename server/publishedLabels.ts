/** Labels and lists on their way out of a database into the labels.json of a published store, and from there into another database. */
import { existsSync } from 'node:fs';
import { publishedLabelsKind, type PublishedLabels } from '../sae/spec/manifests/publishedLabels.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { readManifest } from '../sae/store/readManifest.ts';
import { writeManifest } from '../sae/store/writeManifest.ts';
import { Database, inMemory, type Statement } from './database.ts';

/** Rows in one statement. */
const rowsAtOnce = 400;

/** What people wrote, by the order of run, seed and latent. The log of jobs stays in the database. */
export async function labelsOfDatabase(database: Database): Promise<PublishedLabels> {
  const labels = await database.query(
    `SELECT l.run, l.seed, l.latent, l.label, l.note, l."updatedAt", o.source
     FROM labels l LEFT JOIN "labelOrigins" o
       ON o.run = l.run AND o.seed = l.seed AND o.latent = l.latent AND o."updatedAt" = l."updatedAt"
     ORDER BY l.run, l.seed, l.latent`,
  );
  const lists = await database.query('SELECT name, note, "createdAt" FROM lists ORDER BY name');
  const listed = await database.query(
    'SELECT list, run, seed, latent, "addedAt" FROM "listedFeatures" ORDER BY list, "addedAt", run, seed, latent',
  );
  return publishedLabelsKind.schema.parse({ version: 1, labels, lists, listed });
}

/** Puts them into a database, in place of those that it has. */
export async function fillDatabase(database: Database, published: PublishedLabels): Promise<void> {
  const { labels, lists, listed } = published;
  // A row can't come back in the transaction in which it was deleted.
  await database.transaction(
    ['labels', '"labelOrigins"', 'lists', '"listedFeatures"'].map((table) => ({
      sql: `DELETE FROM ${table}`,
      params: {},
    })),
  );
  await database.transaction([
    ...insertions('labels', labels, (one) => [
      one.run,
      one.seed,
      one.latent,
      one.label,
      one.note,
      one.updatedAt,
    ]),
    ...insertions(
      '"labelOrigins"',
      labels.filter(({ source }) => source !== null),
      (one) => [one.run, one.seed, one.latent, one.updatedAt, one.source],
    ),
    ...insertions('lists', lists, ({ name, note, createdAt }) => [name, note, createdAt]),
    ...insertions('"listedFeatures"', listed, (one) => [
      one.list,
      one.run,
      one.seed,
      one.latent,
      one.addedAt,
    ]),
  ]);
}

/** A database in memory with the labels of a published store. Throws as `readManifest` does for damaged ones. */
export async function publishedDatabase(store: StoreLayout): Promise<Database> {
  const database = await Database.open(inMemory);
  const path = store.publishedLabels();
  if (existsSync(path)) await fillDatabase(database, await readManifest(path, publishedLabelsKind));
  return database;
}

function insertions<Row>(
  table: string,
  rows: readonly Row[],
  cellsOf: (row: Row) => (string | number | null)[],
): Statement[] {
  const statements: Statement[] = [];
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const params: Statement['params'] = {};
    const values = rows.slice(from, from + rowsAtOnce).map((row, r) => {
      const names = cellsOf(row).map((cell, c) => {
        params[`r${r}c${c}`] = cell;
        return `$r${r}c${c}`;
      });
      return `(${names.join(', ')})`;
    });
    statements.push({ sql: `INSERT INTO ${table} VALUES ${values.join(', ')}`, params });
  }
  return statements;
}

/** Writes labels.json from the database of a store. Returns how many labels it has. Throws 'conflict' while a server has the database open. */
export async function exportPublishedLabels(store: StoreLayout): Promise<number> {
  const database = await Database.open(store.database());
  try {
    const published = await labelsOfDatabase(database);
    await writeManifest(store.publishedLabels(), publishedLabelsKind, published);
    return published.labels.length;
  } finally {
    await database.close();
  }
}

/** Makes the database of a store that was fetched, from its labels.json. */
export async function importPublishedLabels(store: StoreLayout): Promise<void> {
  const published = await readManifest(store.publishedLabels(), publishedLabelsKind);
  const database = await Database.open(store.database());
  try {
    await fillDatabase(database, published);
  } finally {
    await database.close();
  }
}
