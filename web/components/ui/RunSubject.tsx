'use client';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { ChartSubject } from './ChartSubject.tsx';

/** Says of charts which runs they are of, with the model and the hook point that these read. */
export function RunSubject({ runs, name }: { runs: readonly string[]; name?: string }) {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.runs.list.queryOptions());
  const of = [...new Set(runs)];
  const read = new Set(
    (data ?? [])
      .filter((run) => of.includes(run.name))
      .map((run) => [run.model, run.hook].filter((part) => part !== null).join(', ')),
  );
  return <ChartSubject text={[name ?? of.join(' and '), ...read].join(' · ')} />;
}
