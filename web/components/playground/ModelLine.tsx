'use client';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { compact } from '../../format/number.ts';

/** What the server keeps in memory for the playground. */
export function ModelLine() {
  const trpc = useTRPC();
  const status = useQuery({ ...trpc.playground.status.queryOptions(), refetchInterval: 5_000 });
  const { data } = status;
  if (!data) return null;
  const idle = `${Math.round(data.idleSeconds / 60)} min`;
  if (data.state === 'stopped' || data.model === null)
    return (
      <span className="small muted">
        {data.state === 'stopped'
          ? 'No model in memory; the first question loads it.'
          : 'The model is being loaded.'}
      </span>
    );
  return (
    <span className="small muted num">
      {data.model}, {compact(data.parameters)} parameters, in memory with {data.dictionaries.length}{' '}
      {data.dictionaries.length === 1 ? 'dictionary' : 'dictionaries'}:{' '}
      {compact((data.residentBytes ?? 0) / 1e6)} MB. Unloaded after {idle} without a question.
    </span>
  );
}
