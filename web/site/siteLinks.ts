/** Questions of a published site, which its files answer. Stands for web/client/serverLinks.ts. */
import { TRPCClientError, type TRPCLink } from '@trpc/client';
import { observable } from '@trpc/server/observable';
import type { AppRouter } from '../../server/client.ts';
import { answer } from './answer.ts';
import { NotPublished } from './siteFile.ts';

export function serverLinks(): TRPCLink<AppRouter>[] {
  return [
    () =>
      ({ op }) =>
        observable((observer) => {
          const { path, input, type } = op;
          const asked =
            type === 'query'
              ? answer({ procedure: path, input })
              : Promise.reject(new NotPublished('Nothing can be changed in a published study.'));
          asked.then(
            (data) => {
              observer.next({ result: { type: 'data', data } });
              observer.complete();
            },
            (error: unknown) => observer.error(explained(error, path)),
          );
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
