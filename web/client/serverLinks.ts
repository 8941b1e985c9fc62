/** How questions reach the server that the explorer came from. */
import { httpBatchLink, httpLink, httpSubscriptionLink, splitLink, type TRPCLink } from '@trpc/client';
import type { AppRouter } from '../../server/client.ts';

const endpoint = '/trpc';

export function serverLinks(): TRPCLink<AppRouter>[] {
  return [
    splitLink({
      condition: (operation) => operation.type === 'subscription',
      true: httpSubscriptionLink({ url: endpoint }),
      false: splitLink({
        // A text may be longer than an address, and a file of labels than what a batch may have.
        condition: ({ path }) => path === 'playground.features' || path === 'labels.import',
        true: httpLink({ url: endpoint, methodOverride: 'POST' }),
        false: httpBatchLink({ url: endpoint, maxURLLength: 8_000 }),
      }),
    }),
  ];
}
