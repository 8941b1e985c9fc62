'use client';
import { useState, type ReactNode } from 'react';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createTRPCClient } from '@trpc/client';
import type { AppRouter } from '../../../server/client.ts';
import { looksAgainAfter, worthRetrying } from '../../client/describeError.ts';
import { serverLinks } from '../../client/serverLinks.ts';
import { TRPCProvider } from '../../client/trpc.ts';

/** Provides one client of the server, with its cache of queries, to the whole explorer. */
export function Providers({ children }: { children: ReactNode }) {
  const [queryClient] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            staleTime: 15_000,
            retry: (failures, error) => failures < 3 && worthRetrying(error),
            // Once the server is back, or what was missing is made, a page that could not load loads by itself.
            refetchInterval: (query) => query.state.status === 'error' && looksAgainAfter(query.state.error),
          },
        },
      }),
  );
  const [trpcClient] = useState(() =>
    createTRPCClient<AppRouter>({
      links: serverLinks(),
    }),
  );
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>
        {children}
      </TRPCProvider>
    </QueryClientProvider>
  );
}
