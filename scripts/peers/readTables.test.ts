/** The one-line examples of docs/TABLES.md, run with the real packages where they are installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';

const root = join(import.meta.dirname, '..', '..');
const python = process.env.LAZYSCOPE_TABLES_PYTHON ?? join(root, '..', 'peers-tables', 'bin', 'python');
const missing = existsSync(python)
  ? undefined
  : `no Python with pandas, polars and DuckDB: make one as scripts/peers/requirements-tables.txt says, or name one in LAZYSCOPE_TABLES_PYTHON`;

const document = await readFile(join(root, 'docs/TABLES.md'), 'utf8');
const examples = [...document.matchAll(/```python\n(.*)\n```/g)].map(([, line]) => line);

test('there is an example for each of pandas, polars and DuckDB, in one line', () => {
  expect(examples.map((line) => /= (\w+)/.exec(line)?.[1])).toEqual(['pandas', 'polars', 'duckdb']);
});

describe.skipIf(missing !== undefined)(
  `the examples read what the file holds${missing ? ` (${missing})` : ''}`,
  () => {
    let on: TestServer;
    beforeAll(async () => {
      on = await startTestServer();
    });
    afterAll(() => on.stop());

    test.each(examples)(
      '%s',
      async (example) => {
        const line = example
          .replace('http://127.0.0.1:4321', on.server.url)
          .replace('run=demo-relu', 'run=fixture-topk');
        const child = spawn(python, [join(import.meta.dirname, 'readTables.py')]);
        child.stdin.end(line);
        const [stdout, stderr, [status]] = await Promise.all([
          text(child.stdout),
          text(child.stderr),
          once(child, 'exit'),
        ]);
        expect(stderr).toBe('');
        expect(status).toBe(0);
        const rows = await queryRows(
          featureTable,
          `SELECT ${columnList(featureTable)} FROM ${storedTable(featureTable)} ORDER BY latent`,
          { path: on.store.features('fixture-topk', 0) },
        );
        expect(JSON.parse(stdout)).toEqual({
          rows: 64,
          columns: Object.keys(featureTable),
          density: rows.map((row) => row.density),
          dead: rows.map((row) => row.dead),
          promotedTokens: rows.map((row) => row.promotedTokens),
          promotedLogits: rows.map((row) => row.promotedLogits),
        });
      },
      60_000,
    );
  },
);
