/** The explorer's typed access to the server's procedures; only their types are imported. */
import { createTRPCContext } from '@trpc/tanstack-react-query';
import type { AppRouter } from '../../server/client.ts';

export const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>();
