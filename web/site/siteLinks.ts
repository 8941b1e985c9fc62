/** Questions of a published site, which its files answer. Stands for web/client/serverLinks.ts. */
import { TRPCClientError, type TRPCLink } from '@trpc/client';
import { observable } from '@trpc/server/observable';
import type { AppRouter } from '../../server/client.ts';
import { answer } from './answer.ts';
import { NotPublished } from './siteFile.ts';

export function serverLinks(): TRPCLink<AppRouter>[] {
  return [
    () =>
      ({ op: { path, input, type } }) =>
        observable((observer) => {
          const reply = async () => {
            try {
              if (type !== 'query') throw new NotPublished('Nothing can be changed in a published study.');
              observer.next({ result: { type: 'data', data: await answer({ procedure: path, input }) } });
              observer.complete();
            } catch (error) {
              observer.error(explained(error, path));
            }
          };
          void reply();
        }),
  ];
}

/** As the server's errors look, so that pages show them alike. */
function explained(error: unknown, path: string): TRPCClientError<AppRouter> {
  if (!(error instanceof NotPublished))
    return TRPCClientError.from(error instanceof Error ? error : new Error(String(error)));
  return TRPCClientError.from<AppRouter>({
    error: {
      code: -32004,
      message: error.message,
      data: { code: 'NOT_FOUND', httpStatus: 404, path, lazyscopeCode: 'not_found' },
    },
  });
}
