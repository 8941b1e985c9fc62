/**
 * Sets up tRPC: the context that procedures get, and how errors become codes.
 *
 * A LazyscopeError keeps its message and gets the matching code. Any other error is unexpected: the client gets a
 * general message, and the server's log has the details.
 */
import { initTRPC, TRPCError } from '@trpc/server';
import { z, ZodError } from 'zod';
import { isLazyscopeError, LazyscopeError } from '../sae/errors.ts';
import type { ErrorCode } from '../sae/errors.ts';
import { systemError } from '../sae/store/systemError.ts';
import type { CallContext } from './context.ts';

const codes = {
  bad_input: 'BAD_REQUEST',
  not_found: 'NOT_FOUND',
  conflict: 'CONFLICT',
  corrupt: 'UNPROCESSABLE_CONTENT',
  newer: 'UNPROCESSABLE_CONTENT',
  unavailable: 'SERVICE_UNAVAILABLE',
  no_space: 'INTERNAL_SERVER_ERROR',
  cancelled: 'CLIENT_CLOSED_REQUEST',
} as const satisfies Record<ErrorCode, TRPCError['code']>;

const opaque =
  "Something went wrong inside the server; its log says what. Please report it if it doesn't go away.";

/** The error that the client gets for any error thrown, without internal details. */
export function toClientError(error: TRPCError): TRPCError {
  const cause = systemError(error.cause) ?? error.cause;
  if (isLazyscopeError(cause))
    return new TRPCError({ code: codes[cause.code], message: cause.message, cause });
  if (cause instanceof ZodError)
    return new TRPCError({ code: 'BAD_REQUEST', message: z.prettifyError(cause), cause });
  if (error.code === 'INTERNAL_SERVER_ERROR')
    return new TRPCError({ code: error.code, message: opaque, cause });
  return error;
}

function codeOf(cause: unknown): ErrorCode | null {
  const error = systemError(cause) ?? cause;
  return isLazyscopeError(error) ? error.code : null;
}

const t = initTRPC.context<CallContext>().create({
  isDev: false,
  errorFormatter({ shape, error }) {
    return {
      ...shape,
      message: toClientError(error).message,
      data: { ...shape.data, lazyscopeCode: codeOf(error.cause) },
    };
  },
  sse: { ping: { enabled: true, intervalMs: 5_000 }, client: { reconnectAfterInactivityMs: 15_000 } },
});

const errors = t.middleware(async ({ next }) => {
  const result = await next();
  if (!result.ok) throw toClientError(result.error);
  return result;
});

/** Readers may not call mutations; who calls one is recorded. */
const mutations = t.middleware(async ({ ctx, type, path, getRawInput, next }) => {
  if (type !== 'mutation') return next();
  if (ctx.publishedAt !== undefined && !ctx.changeable.includes(path.split('.')[0]))
    throw new LazyscopeError(
      'conflict',
      ctx.publishedAt.startsWith('s3:')
        ? `The explorer changes nothing but labels and lists in '${ctx.publishedAt}': run commands with --data ${ctx.publishedAt}, start the server with --queue, or copy it with 'lazyscope store fetch ${ctx.publishedAt} --data FOLDER', and serve the copy.`
        : `Nothing can be changed in a published store: copy it with 'lazyscope store fetch ${ctx.publishedAt} --data FOLDER', and serve the copy.`,
    );
  const { role, address } = ctx.caller;
  const record = async (ok: boolean) =>
    ctx.audit.record({ procedure: path, role, address, ok, input: await getRawInput().catch(() => null) });
  if (role !== 'admin') {
    await record(false);
    throw new TRPCError({
      code: 'FORBIDDEN',
      message: 'Your token may only read: changing things takes the token that the server was started with.',
    });
  }
  const result = await next();
  await record(result.ok);
  return result;
});

const measured = t.middleware(async ({ ctx, path, type, next }) => {
  // A subscription lasts as long as a client watches, which says nothing about the server.
  if (type === 'subscription') return next();
  const start = performance.now();
  const result = await next();
  ctx.metrics.called(path, result.ok, (performance.now() - start) / 1000);
  return result;
});

export const { router } = t;
export const procedure = t.procedure.use(measured).use(errors).use(mutations);
