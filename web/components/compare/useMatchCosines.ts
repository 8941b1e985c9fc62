'use client';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { arrowTable, numbers } from '../../client/arrowTable.ts';

const columns = ['decoderMatch', 'encoderMatch', 'decoderCosine', 'encoderCosine', 'nearestCosine'] as const;

/** Both matchings of a comparison in columns [latents of a]. */
export type MatchCosines = Readonly<Record<(typeof columns)[number], Float32Array>>;

/** Fetched once for all charts of a comparison's page. */
export function useMatchCosines({
  name,
  createdAt,
}: ComparisonManifest): UseQueryResult<MatchCosines, unknown> {
  return useQuery({
    queryKey: ['arrow', 'matches', name, createdAt],
    staleTime: 60_000,
    queryFn: async () => {
      const table = await arrowTable(`matches/${encodeURIComponent(name)}`);
      return Object.fromEntries(columns.map((column) => [column, numbers(table, column)])) as MatchCosines;
    },
  });
}
