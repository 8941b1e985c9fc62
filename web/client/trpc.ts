/** The explorer's only door to the server: procedures and their types, nothing of how they work. */
import { createTRPCContext } from '@trpc/tanstack-react-query';
import type { AppRouter } from '../../server/client.ts';

export const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>();
