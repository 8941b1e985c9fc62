import { Validator } from '@seriousme/openapi-schema-validator';
import type { AnyProcedure, AnyRouter } from '@trpc/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { storedTables } from './queries/storedTables.ts';
import { appRouter } from './root.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on.stop());

interface Operation {
  operationId: string;
  parameters?: { name: string; required: boolean; content?: { 'application/json': { schema: object } } }[];
  requestBody?: { content: { 'application/json': { schema: object } } };
}
interface Document {
  paths: Record<string, { get?: Operation; post?: Operation }>;
}

const document = async () =>
  (await (await fetch(`${on.server.url}/api/openapi.json`)).json()) as Document & Record<string, unknown>;

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(await document());
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  expect(validator.version).toBe('3.1');
  // The same validator refuses what is not.
  const { paths, ...without } = await document();
  expect((await new Validator().validate({ ...without, paths: { 'no-slash': paths } })).valid).toBe(false);
});

test('every procedure and every table is in it, once, under its method', async () => {
  const { paths } = await document();
  const { _def: router }: AnyRouter = appRouter;
  const expected = Object.entries<AnyProcedure>(router.procedures).map(
    ([
      name,
      {
        _def: { type },
      },
    ]) => `${type === 'mutation' ? 'post' : 'get'} /trpc/${name}`,
  );
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(found.filter((one) => one.includes(' /trpc/')).sort()).toEqual(expected.sort());
  for (const table of Object.keys(storedTables))
    for (const format of ['arrow', 'csv', 'parquet']) expect(found).toContain(`get /api/${format}/${table}`);
  const ids = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map((each) => each.operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test('the inputs described are those that the server takes and refuses', async () => {
  const { paths } = await document();
  const list = paths['/trpc/features.list'].get;
  const schema = list?.parameters?.[0].content?.['application/json'].schema;
  const parsed = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  const ask = async (input: object) => {
    const asked = encodeURIComponent(JSON.stringify(input));
    return (await fetch(`${on.server.url}/trpc/features.list?input=${asked}`)).status;
  };
  for (const [input, status] of [
    [{ run: 'fixture-topk', seed: 1 }, 200],
    [{ run: 'fixture-topk', seed: 1, sort: 'stability', filter: { minDensity: 0.5 } }, 200],
    [{ run: 'fixture-topk', seed: 1, sort: 'height' }, 400],
    [{ run: 'fixture-topk', seed: 1, limit: 501 }, 400],
    [{ run: 'fixture-topk' }, 400],
    [{ run: '../etc', seed: 1 }, 400],
  ] as const) {
    expect({ input, status: await ask(input) }).toEqual({ input, status });
    expect({ input, valid: parsed.safeParse(input).success }).toEqual({ input, valid: status === 200 });
  }
  const set = paths['/trpc/labels.set'].post;
  expect(set?.requestBody?.content['application/json'].schema).toMatchObject({ type: 'object' });
});
