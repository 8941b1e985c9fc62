'use client';
import { useEffect, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { visibleToken } from '../../format/tokenText.ts';

/** Milliseconds that a pointer rests on a point before the server is asked about it. */
const rest = 150;

/** The label of a latent and the tokens on which it fires most often, as lines; none until they are known, and for a dictionary without an index. */
export function useLatentWords(latent: { run: string; seed: number; latent: number } | undefined): string[] {
  const trpc = useTRPC();
  const key = latent && `${latent.run} ${latent.seed} ${latent.latent}`;
  const [rested, setRested] = useState<string>();
  useEffect(() => {
    const timer = setTimeout(() => setRested(key), rest);
    return () => clearTimeout(timer);
  }, [key]);
  const { run = '', seed = 0, latent: number = 0 } = latent ?? {};
  const { data } = useQuery(
    trpc.features.list.queryOptions(
      { run, seed, filter: { latent: number }, limit: 1 },
      { enabled: latent !== undefined && rested === key, staleTime: 60_000, retry: false },
    ),
  );
  const row = latent && data?.rows.at(0);
  if (!row) return [];
  return [
    ...(row.label ? [`“${row.label}”`] : []),
    ...(row.topTokens.length > 0
      ? [`on ${row.topTokens.map(({ text }) => visibleToken(text)).join(' ')}`]
      : []),
  ];
}
