'use client';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';

const none: ReadonlyMap<number, string> = new Map();

/** The labels of a dictionary by latent; none until they have loaded, or without a dictionary. */
export function useLabelNames(
  dictionary: { run: string; seed: number } | undefined,
): ReadonlyMap<number, string> {
  const trpc = useTRPC();
  const { run, seed } = dictionary ?? { run: '-', seed: 0 };
  const names = useQuery(
    trpc.labels.names.queryOptions({ run, seed }, { enabled: dictionary !== undefined, staleTime: 60_000 }),
  );
  return useMemo(() => (names.data ? new Map(names.data) : none), [names.data]);
}
