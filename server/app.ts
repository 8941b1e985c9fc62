/** The HTTP interface: /trpc for procedures, /api/health, /api/arrow/…, /api/parquet/… and /api/csv/… for whole tables, and /api/openapi.json, which says all of it. */
import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { TRPCError } from '@trpc/server';
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { bodyLimit } from 'hono/body-limit';
import { ZodError } from 'zod';
import { isLazyscopeError, LazyscopeError } from '../sae/errors.ts';
import type { ErrorCode } from '../sae/errors.ts';
import { systemError } from '../sae/store/systemError.ts';
import type { CallContext, ServerContext } from './context.ts';
import { maxBatchSize } from './contract/batchSize.ts';
import { maxBodyBytes, storeName } from './contract/limits.ts';
import { maxImportBytes } from './contract/labels.ts';
import { sparsityCsvInput, sparsityTableInput } from './contract/sparsity.ts';
import { dictionaryInput } from './contract/tokens.ts';
import type { Guard } from './guard.ts';
import { openApiDocument } from './openApi.ts';
import { featuresArrow, mapArrow, matchesArrow, metricsFile, stabilityArrow } from './queries/arrowTables.ts';
import { sparsityParquet } from './queries/sparsity.ts';
import { sparsityCsv } from './queries/sparsityCsv.ts';
import { tableRequest, type TableRequest } from './queries/storedTables.ts';
import { arrowStream, csvStream, fileStream } from './queries/tableStreams.ts';
import { appRouter } from './root.ts';

/** Names each request; the server sets it before anything else sees the request. */
export const requestIdHeader = 'x-request-id';

const statuses = {
  bad_input: 400,
  not_found: 404,
  conflict: 409,
  corrupt: 422,
  newer: 422,
  unavailable: 503,
  no_space: 507,
  cancelled: 499 as ContentfulStatusCode,
} as const satisfies Record<ErrorCode, ContentfulStatusCode>;

/** Whether the app answers this path; the explorer serves all others. */
export function isApiPath(path: string): boolean {
  return /^\/(trpc|api)(\/|$)/.test(path);
}

export function createApp(server: ServerContext, guard: Guard): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const roleOf = (c: Context) => guard.roleOf((name) => c.req.header(name));

  app.use(async (c, next) => {
    const refusal = guard.refusal((name) => c.req.header(name));
    if (refusal) return c.json({ error: { code: 'refused', message: refusal.message } }, refusal.status);
    return next();
  });
  const atMost = (maxSize: number) =>
    bodyLimit({
      maxSize,
      onError: (c) => {
        // The rest of the body is not read, so the connection can't be used again.
        c.header('connection', 'close');
        const message = `A request may have at most ${maxSize} bytes.`;
        return c.json({ error: { code: 'bad_input', message } }, 413);
      },
    });
  const [short, long] = [atMost(maxBodyBytes), atMost(maxImportBytes)];
  // A file of labels is one request, so that all of it is taken or none. Only who may change things may send one.
  app.use((c, next) =>
    c.req.path === '/trpc/labels.import' && roleOf(c) === 'admin' ? long(c, next) : short(c, next),
  );

  app.all('/trpc/*', (c) =>
    fetchRequestHandler({
      endpoint: '/trpc',
      req: c.req.raw,
      router: appRouter,
      maxBatchSize,
      // Queries whose input is longer than an address come as POST.
      allowMethodOverride: true,
      createContext: (): CallContext => {
        const role = roleOf(c);
        if (!role)
          throw new TRPCError({
            code: 'UNAUTHORIZED',
            message: "This server needs its token: open the address that 'lazyscope serve' printed.",
          });
        return { ...server, caller: { role, address: addressOf(c), requestId: requestIdOf(c) } };
      },
      onError: ({ error, path }) => {
        if (error.code === 'INTERNAL_SERVER_ERROR')
          server.log(
            `[${requestIdOf(c)}] ${path ?? 'a request'} failed: ${error.cause?.message ?? error.message}`,
            error.cause ?? error,
          );
      },
    }),
  );

  app.get('/api/health', (c) => c.json({ status: 'ok', version: server.version }));

  // It tells what can be asked, not what the store holds, so that it needs no token.
  const described = openApiDocument(server.version);
  app.get('/api/openapi.json', (c) => c.json(described));

  app.get('/api/metrics', async (c) => {
    if (!roleOf(c)) return unauthorized(c);
    return c.body(await server.metrics.text(), 200, { 'content-type': server.metrics.contentType });
  });

  for (const tables of ['/api/arrow/*', '/api/parquet/*', '/api/csv/*'])
    app.use(tables, async (c, next) => {
      return roleOf(c) ? next() : unauthorized(c);
    });
  app.get('/api/arrow/features/:run/:seed', async (c) => {
    const { run, seed } = c.req.param();
    return arrow(c, server, () => featuresArrow(server, dictionaryInput.parse({ run, seed: Number(seed) })));
  });
  app.get('/api/arrow/metrics/:run', async (c) => metrics(c, server, c.req.param('run')));
  app.get('/api/arrow/metrics', async (c) => metrics(c, server, c.req.query('run')));
  app.get('/api/arrow/matches/:comparison', async (c) =>
    arrow(c, server, () => matchesArrow(server, storeName.parse(c.req.param('comparison')))),
  );
  app.get('/api/arrow/map/:comparison', async (c) =>
    arrow(c, server, () => mapArrow(server, storeName.parse(c.req.param('comparison')))),
  );

  app.get('/api/arrow/stability/:run', async (c) =>
    arrow(c, server, () => stabilityArrow(server, storeName.parse(c.req.param('run')))),
  );

  app.get('/api/parquet/sparsity/:name/:table', async (c) => {
    const { name, table } = sparsityTableInput.parse(c.req.param());
    const bytes = await sparsityParquet(server, name, table);
    return c.body(new Uint8Array(bytes).buffer, 200, {
      'content-type': 'application/vnd.apache.parquet',
      'content-disposition': `attachment; filename="${name}-${table}.parquet"`,
      'cache-control': 'no-store',
    });
  });

  app.get('/api/csv/sparsity/:name/:table', async (c) => {
    const input = sparsityCsvInput.parse({ ...c.req.param(), ...c.req.query() });
    const parts = [input.name, input.table, input.layer, input.neuron].filter((part) => part !== undefined);
    return c.body(await sparsityCsv(server, input), 200, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${parts.join('-')}.csv"`,
      'cache-control': 'no-store',
    });
  });

  app.get('/api/:format/:table', async (c, next) => {
    const { format, table } = c.req.param();
    if (!isTableFormat(format)) return next();
    const request = await tableRequest(server, table, queryOf(c));
    if (format === 'parquet') return parquetFile(c, server, request);
    const body = format === 'arrow' ? await arrowStream(request) : await csvStream(request);
    return c.body(body, 200, fileHeaders(format, request.fileName));
  });

  app.notFound((c) => c.json({ error: { code: 'not_found', message: `There is no ${c.req.path}.` } }, 404));
  app.onError((thrown, c) => {
    const error = systemError(thrown) ?? thrown;
    if (isLazyscopeError(error))
      return c.json({ error: { code: error.code, message: error.message } }, statuses[error.code]);
    if (error instanceof ZodError)
      return c.json(
        { error: { code: 'bad_input', message: `The address is not what it must be: ${faults(error)}.` } },
        400,
      );
    server.log(`[${requestIdOf(c)}] ${c.req.path} failed: ${error.message}`, error);
    return c.json(
      { error: { code: 'internal', message: 'Something went wrong inside the server; its log says what.' } },
      500,
    );
  });
  return app;
}

const faults = ({ issues }: ZodError) =>
  issues.map(({ path, message }) => [...path.map(String), message].join(': ')).join('; ');

function unauthorized(c: Context) {
  return c.json({ error: { code: 'unauthorized', message: 'This server needs its token.' } }, 401);
}

function addressOf(c: Context): string | null {
  return getConnInfo(c).remote.address ?? null;
}

/** The id that the answer carries, so that the line of the log can be found. */
function requestIdOf(c: Context<{ Bindings: HttpBindings }>): string {
  return String(c.env.outgoing.getHeader(requestIdHeader));
}

const tableFormats = {
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
  csv: 'text/csv; charset=utf-8',
} as const;

function isTableFormat(format: string): format is keyof typeof tableFormats {
  return Object.hasOwn(tableFormats, format);
}

function fileHeaders(format: keyof typeof tableFormats, fileName: string): Record<string, string> {
  return {
    'content-type': tableFormats[format],
    'content-disposition': `attachment; filename="${fileName}.${format}"`,
    'cache-control': 'no-store',
  };
}

/** The parameters of an address. Throws 'bad_input' for one that is given twice, of which another program might have meant either. */
function queryOf(c: Context): Record<string, string> {
  const given = Object.entries(c.req.queries());
  const twice = given.find(([, values]) => values.length > 1);
  if (twice) throw new LazyscopeError('bad_input', `The address names '${twice[0]}' twice: name it once.`);
  return Object.fromEntries(given.map(([name, [value]]) => [name, value]));
}

/** A Parquet file is sent as it lies, so that rows and columns can't be chosen. */
async function parquetFile(c: Context, server: ServerContext, { path, fileName, whole }: TableRequest) {
  if (!whole)
    throw new LazyscopeError(
      'bad_input',
      'A Parquet file is sent whole: ask for columns and rows as arrow or csv, or leave them out.',
    );
  const { body, bytes } = await fileStream(path, 'parquet', server.store.root);
  return c.body(body, 200, { ...fileHeaders('parquet', fileName), 'content-length': String(bytes) });
}

/** The trainer's metrics file, which is an Arrow stream already. */
async function metrics(c: Context, server: ServerContext, run: string | undefined) {
  const { path, name } = await metricsFile(server, storeName.parse(run));
  const { body, bytes } = await fileStream(path, 'arrow', server.store.root);
  return c.body(body, 200, { ...fileHeaders('arrow', `${name}-metrics`), 'content-length': String(bytes) });
}

/** A table, taken as fast as its reader wants it. */
async function arrow(c: Context, { tables }: ServerContext, make: () => Promise<Uint8Array>) {
  return c.body(await tables.answer(make), 200, {
    'content-type': 'application/vnd.apache.arrow.stream',
    'cache-control': 'no-store',
  });
}
