/** The HTTP interface: /trpc for procedures, /api/health, and /api/arrow/…, /api/parquet/… and /api/csv/… for whole tables. */
import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { TRPCError } from '@trpc/server';
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { bodyLimit } from 'hono/body-limit';
import { isLazyscopeError } from '../sae/errors.ts';
import type { ErrorCode } from '../sae/errors.ts';
import type { CallContext, ServerContext } from './context.ts';
import { maxBatchSize } from './contract/batchSize.ts';
import { maxBodyBytes, storeName } from './contract/limits.ts';
import { maxImportBytes } from './contract/labels.ts';
import { sparsityCsvInput, sparsityTableInput } from './contract/sparsity.ts';
import { dictionaryInput } from './contract/tokens.ts';
import type { Guard } from './guard.ts';
import {
  featuresArrow,
  mapArrow,
  matchesArrow,
  metricsArrow,
  stabilityArrow,
} from './queries/arrowTables.ts';
import { sparsityParquet } from './queries/sparsity.ts';
import { sparsityCsv } from './queries/sparsityCsv.ts';
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
    return arrow(c, await featuresArrow(server, dictionaryInput.parse({ run, seed: Number(seed) })));
  });
  app.get('/api/arrow/metrics/:run', async (c) =>
    arrow(c, await metricsArrow(server, storeName.parse(c.req.param('run')))),
  );
  app.get('/api/arrow/matches/:comparison', async (c) =>
    arrow(c, await matchesArrow(server, storeName.parse(c.req.param('comparison')))),
  );
  app.get('/api/arrow/map/:comparison', async (c) =>
    arrow(c, await mapArrow(server, storeName.parse(c.req.param('comparison')))),
  );

  app.get('/api/arrow/stability/:run', async (c) =>
    arrow(c, await stabilityArrow(server, storeName.parse(c.req.param('run')))),
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

  app.notFound((c) => c.json({ error: { code: 'not_found', message: `There is no ${c.req.path}.` } }, 404));
  app.onError((error, c) => {
    if (isLazyscopeError(error))
      return c.json({ error: { code: error.code, message: error.message } }, statuses[error.code]);
    if (error.name === 'ZodError')
      return c.json({ error: { code: 'bad_input', message: 'The address is not what it must be.' } }, 400);
    server.log(`[${requestIdOf(c)}] ${c.req.path} failed: ${error.message}`, error);
    return c.json(
      { error: { code: 'internal', message: 'Something went wrong inside the server; its log says what.' } },
      500,
    );
  });
  return app;
}

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

function arrow(c: Context, bytes: Uint8Array) {
  return c.body(new Uint8Array(bytes).buffer, 200, {
    'content-type': 'application/vnd.apache.arrow.stream',
    'cache-control': 'no-store',
  });
}
