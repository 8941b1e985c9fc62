/** Every name that a client sends goes through one checked type, so that none leads out of the store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { namePattern } from '../sae/spec/names.ts';
import { openApiDocument } from './openApi.ts';
import { storedTables } from './queries/storedTables.ts';
import { startTestServer, type TestServer } from './testServer.ts';

interface Schema {
  type?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  maxLength?: number;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}
interface Operation {
  parameters?: { name: string; content?: { 'application/json': { schema: Schema } } }[];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}

/** Words that clients send and that name nothing in the store; each has a limit of its length. */
const words: Readonly<Record<string, string>> = {
  text: 'what is searched, tried or imported',
  token: 'what tokens are searched for',
  prompt: 'what the model goes on from',
  label: 'what a latent is called',
  note: 'what is noted of it',
  id: 'a job’s, looked up in a list in memory',
  lastEventId: 'of an event, looked up in a list in memory',
  hook: 'a point of a model, looked up among its points',
  outputHook: 'the same',
  hooks: 'several of them',
};
/**
 * Words of job options reach a command as `--flag=value`, which checks them as it does what is typed; none may hold a NUL. What names something
 * of the store, a text of it included, is a checked name here too.
 */
const isWordOfOptions = (at: readonly string[], { pattern }: Schema) =>
  at.includes('options') && (pattern === '^[^\\0]*$' || at.at(-1) === 'memory');

/** Strings of an input by their path. */
function* strings(schema: Schema, path: string[] = []): Generator<[string[], Schema]> {
  if (schema.type === 'string') yield [path, schema];
  for (const [key, inner] of Object.entries(schema.properties ?? {})) yield* strings(inner, [...path, key]);
  if (schema.items) yield* strings(schema.items, path);
  for (const inner of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
    yield* strings(inner, path);
}

test('every string that a client sends is a checked name, one of a few, or a word that names nothing in the store', () => {
  const { paths } = openApiDocument('0') as unknown as { paths: Record<string, Record<string, Operation>> };
  const seen = { names: 0, words: new Set<string>() };
  const unknown: string[] = [];
  for (const [path, methods] of Object.entries(paths))
    for (const { parameters = [], requestBody } of Object.values(methods)) {
      if (!path.startsWith('/trpc/')) continue;
      const schemas = [...parameters.map(({ content }) => content), requestBody?.content];
      for (const schema of schemas.flatMap((content) => content?.['application/json'].schema ?? []))
        for (const [at, found] of strings(schema)) {
          const key = at.at(-1) ?? '';
          if (found.pattern === namePattern.source || found.pattern?.includes(namePattern.source.slice(1)))
            seen.names++;
          else if (found.enum || found.const !== undefined) continue;
          else if (Object.hasOwn(words, key) && (found.maxLength !== undefined || at.includes('options')))
            seen.words.add(key);
          else if (isWordOfOptions(at, found)) continue;
          else unknown.push(`${path}: ${at.join('.')}`);
        }
    }
  expect([...new Set(unknown)]).toEqual([]);
  expect(seen.names).toBeGreaterThan(60);
  expect([...seen.words].sort()).toEqual(Object.keys(words).sort());
});

describe('a table', () => {
  let on: TestServer;
  beforeAll(async () => {
    on = await startTestServer();
  });
  afterAll(() => on?.stop());

  test.each(Object.entries(storedTables))(
    '%s of a name that leads out of the store is refused',
    async (name, { of }) => {
      const parameter =
        { run: 'run', dictionary: 'run', comparison: 'comparison', report: 'report' }[of as string] ?? of;
      for (const format of ['arrow', 'csv', 'parquet'])
        for (const way of ['../../etc', '..', '/etc/passwd', 'a/b', 'x%00y', '.']) {
          const asked = `${parameter}=${encodeURIComponent(way).replace('%2500', '%00')}${of === 'dictionary' ? '&seed=0' : ''}`;
          const { status } = await fetch(`${on.server.url}/api/${format}/${name}?${asked}`);
          expect([way, status]).toEqual([way, 400]);
        }
    },
  );

  test.each(['..%2f..%2fetc', '%2e%2e', 'a%2fb', 'x%00y'])('metrics of %s are refused', async (name) => {
    const { status } = await fetch(`${on.server.url}/api/arrow/metrics/${name}`);
    expect([400, 404]).toContain(status);
  });
});
