'use client';
import { useState } from 'react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useSubscription } from '@trpc/tanstack-react-query';
import type { Job, JobEvent } from '../../server/client.ts';
import { useTRPC } from './trpc.ts';

const keptLines = 400;

/** All jobs, newest first, kept current by a subscription, and the lines they have written since the page was opened. */
export function useJobs(): {
  jobs: Job[] | undefined;
  logs: Record<string, string[]>;
  connected: boolean;
  error: unknown;
} {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const list = useQuery(trpc.jobs.list.queryOptions());
  const [logs, setLogs] = useState<Record<string, string[]>>({});

  const subscription = useSubscription(
    trpc.jobs.watch.subscriptionOptions(
      {},
      {
        onData: ({ data }: { data: JobEvent }) => {
          const { job, type, line } = data;
          const key = trpc.jobs.list.queryKey();
          const before = queries.getQueryData(key)?.find((one) => one.id === job.id);
          queries.setQueryData(key, (jobs) => merge(jobs ?? [], job));
          if (line !== undefined)
            setLogs((all) => ({ ...all, [job.id]: [...(all[job.id] ?? []), line].slice(-keptLines) }));
          if (type === 'status' && job.finishedAt && !before?.finishedAt) {
            // A finished job may have changed anything in the store, so all cached queries are marked as stale.
            void queries.invalidateQueries({ predicate: (query) => !isJobsQuery(query.queryKey) });
            void queries.invalidateQueries(trpc.jobs.get.queryFilter({ id: job.id }));
          }
        },
      },
    ),
  );
  return {
    jobs: list.data,
    logs,
    connected: subscription.status === 'pending',
    error: list.error ?? null,
  };
}

function merge(jobs: readonly Job[], job: Job): Job[] {
  const others = jobs.filter((one) => one.id !== job.id);
  return [...others, job].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

function isJobsQuery(key: readonly unknown[]): boolean {
  const [path] = key;
  return Array.isArray(path) && path[0] === 'jobs';
}
