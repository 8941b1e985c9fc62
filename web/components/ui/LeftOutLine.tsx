'use client';
import { useQuery } from '@tanstack/react-query';
import type { Overview } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { leftOutText } from './leftOutText.ts';

/** Says above a list how many items of the store it can't show; the server's log names them. */
export function LeftOutLine({ of }: { of: readonly (keyof Overview['leftOut'])[] }) {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.overview.get.queryOptions());
  const text = data && leftOutText(of.map((kind) => data.leftOut[kind]));
  return text ? <p className="xs muted">{text}</p> : null;
}
