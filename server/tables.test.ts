/** Whole tables over HTTP: every table in every format holds what its file holds. */
import { tableFromIPC, Vector } from 'apache-arrow';
import { existsSync } from 'node:fs';
import { readFile, truncate } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleTable } from '../sae/spec/tables/examples.ts';
import type { Table } from '../sae/spec/tables/table.ts';
import { queryParquet, writeParquet, type Row } from '../sae/store/parquet.ts';
import { columnList, storedTable } from '../sae/store/tableSql.ts';
import { storedTables } from './queries/storedTables.ts';
import { arrowStream, csvStream } from './queries/tableStreams.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on.stop());

const get = (path: string) => fetch(`${on.server.url}/api/${path}`);
const query = {
  dictionary: 'run=fixture-topk&seed=1',
  run: 'run=fixture-topk',
  comparison: 'comparison=fixture-topk-0-1',
  report: 'report=fixture-relu',
} as const;

async function arrowRows(response: Response): Promise<Record<string, unknown>[]> {
  const table = tableFromIPC(new Uint8Array(await response.arrayBuffer()));
  const names = table.schema.fields.map(({ name }) => name);
  return Array.from({ length: table.numRows }, (_, row) =>
    Object.fromEntries(
      names.map((name) => {
        const value: unknown = table.getChild(name)?.get(row);
        return [name, value instanceof Vector ? Array.from<unknown>(value) : value];
      }),
    ),
  );
}

const rowsOf = (path: string, table: Table): Promise<Row[]> =>
  queryParquet(`SELECT ${columnList(table)} FROM ${storedTable(table)}`, { path });

/** Where the tables of the fixture store lie that every store has. */
const pathOf = (name: string): string => {
  const { store } = on;
  if (name.startsWith('sparsity-')) return `${store.sparsity('fixture-relu')}/${name.slice(9)}.parquet`;
  const files: Record<string, string> = {
    matches: store.comparisonMatches('fixture-topk-0-1'),
    'shared-curve': store.comparisonCurve('fixture-topk-0-1'),
    map: store.comparisonMap('fixture-topk-0-1'),
    'reproducibility-curve': store.reproducibilityCurve('fixture-topk'),
  };
  return files[name] ?? `${store.runSeed('fixture-topk', 1)}/${name}.parquet`;
};

describe('every table', () => {
  const present: string[] = [];
  test.each(Object.keys(storedTables))(
    '%s: Arrow, CSV and Parquet have the rows of the file',
    async (name) => {
      const { of, table } = storedTables[name];
      const address = `${name}?${query[of]}`;
      const response = await get(`arrow/${address}`);
      if (response.status === 404) {
        // Not everything is made in the fixture store; what isn't is said with the command that makes it.
        const { error } = (await response.json()) as { error: { message: string } };
        expect(error.message).toMatch(/isn't made yet: make it with 'lazyscope [a-z]+/);
        return;
      }
      present.push(name);
      expect(response.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream');
      const parquet = await get(`parquet/${address}`);
      const bytes = new Uint8Array(await parquet.arrayBuffer());
      expect(Number(parquet.headers.get('content-length'))).toBe(bytes.length);
      const path = pathOf(name);
      expect(bytes).toEqual(new Uint8Array(await readFile(path)));
      const expected = await rowsOf(path, table);
      expect(expected.length).toBeGreaterThan(0);
      expect(await arrowRows(response)).toEqual(expected);
      const [header, ...lines] = (await (await get(`csv/${address}`)).text()).trimEnd().split('\r\n');
      expect(header).toBe(Object.keys(table).join(','));
      expect(lines).toHaveLength(expected.length);
      // Numbers only, so that no cell has a comma in it.
      const numbers = Object.keys(table).filter((column) => table[column].type !== 'VARCHAR');
      if (numbers.length === Object.keys(table).length)
        expect(lines.map((line) => line.split(','))).toEqual(
          expected.map((row) =>
            Object.values(row).map((cell) => (Array.isArray(cell) ? cell.join(' ') : String(cell ?? ''))),
          ),
        );
    },
  );

  test('most of them are in the fixture store', () => {
    expect(present).toEqual(
      expect.arrayContaining([
        'features',
        'examples',
        'loadings',
        'matches',
        'shared-curve',
        'map',
        'sparsity-neurons',
      ]),
    );
  });
});

test('columns and rows can be chosen', async () => {
  const [{ latent }] = await rowsOf(pathOf('examples'), exampleTable);
  const rows = await arrowRows(
    await get(`arrow/examples?run=fixture-topk&seed=1&latent=${latent}&columns=rank,activation`),
  );
  const path = on.store.examples('fixture-topk', 1);
  expect(rows.length).toBeGreaterThan(0);
  expect(rows).toEqual(
    await queryParquet('SELECT rank, activation FROM read_parquet($path) WHERE latent = $latent', {
      path,
      latent: Number(latent),
    }),
  );
  const csv = await (await get('csv/features?run=fixture-topk&seed=1&latent=5&columns=density')).text();
  expect(csv).toMatch(/^density\r\n[\d.e-]+\r\n$/);
});

test.each([
  ['arrow/features?run=fixture-topk', 400, /seed/],
  ['arrow/features?run=fixture-topk&seed=1&limit=5', 400, /limit/],
  ['arrow/features?run=fixture-topk&seed=1&seed=2', 400, /'seed' twice/],
  [
    'arrow/features?run=fixture-topk&seed=1&columns=latent,height',
    400,
    /no column 'height': it has latent, density/,
  ],
  ['csv/matches?comparison=fixture-topk-0-1&neuron=1', 400, /no column 'neuron'/],
  ['parquet/features?run=fixture-topk&seed=1&latent=3', 400, /sent whole/],
  ['arrow/features?run=../../etc&seed=1', 400, /run/],
  ['arrow/features?run=fixture-topk&seed=-1', 400, /whole number/],
  ['arrow/features?run=nothing&seed=1', 404, /no run 'nothing'/],
  ['arrow/features?run=fixture-topk&seed=9', 404, /no seed 9/],
  ['arrow/heights?run=fixture-topk', 404, /no table 'heights': there are features/],
  ['arrow/metrics', 400, /./],
  ['xml/features?run=fixture-topk&seed=1', 404, /There is no/],
] as const)('%s is refused', async (path, status, message) => {
  const response = await get(path);
  const { error } = (await response.json()) as { error: { message: string } };
  expect({ status: response.status, message: error.message }).toEqual({
    status,
    message: expect.stringMatching(message),
  });
});

test('a truncated file is an error, not half a table', async () => {
  const path = on.store.loadings('fixture-relu', 2);
  expect(existsSync(path)).toBe(true);
  await truncate(path, 200);
  const response = await get('arrow/loadings?run=fixture-relu&seed=2');
  expect(response.status).toBe(422);
});

test('metrics are the file that training writes, also while it grows', async () => {
  const file = new Uint8Array(await readFile(on.store.runMetrics('fixture-topk')));
  for (const path of ['arrow/metrics?run=fixture-topk', 'arrow/metrics/fixture-topk'])
    expect(new Uint8Array(await (await get(path)).arrayBuffer())).toEqual(file);
});

test('a large table is passed on in parts of few rows, and closed when its reader leaves', async () => {
  const path = `${on.store.root}/large.parquet`;
  const table = { latent: { type: 'INTEGER', doc: '' }, tokens: { type: 'INTEGER[]', doc: '' } } as const;
  const rows = 40_000;
  await writeParquet(path, table, {
    latent: Int32Array.from({ length: rows }, (_, i) => i),
    tokens: Array.from({ length: rows }, (_, i) => [i, i + 1]),
  });
  const request = { path, table, where: {}, whole: true, fileName: 'large' };
  const parts: Uint8Array[] = [];
  for await (const part of await arrowStream(request)) parts.push(part);
  expect(parts.length).toBeGreaterThan(15);
  expect(tableFromIPC(Buffer.concat(parts)).numRows).toBe(rows);
  const reader = (await csvStream(request)).getReader();
  expect((await reader.read()).done).toBe(false);
  await reader.cancel();
  expect((await reader.read()).done).toBe(true);
});
