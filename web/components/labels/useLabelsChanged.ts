'use client';
import { useQueryClient } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';

/** To be called after labels were written, or lists as well: what shows them is asked for again. */
export function useLabelsChanged({ lists = false } = {}): () => Promise<void> {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const parts = [trpc.features, trpc.labels, ...(lists ? [trpc.lists] : [])];
  return async () => {
    await Promise.all(parts.map((part) => queries.invalidateQueries(part.pathFilter())));
  };
}
