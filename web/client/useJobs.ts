'use client';
import { useState, useSyncExternalStore } from 'react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useSubscription } from '@trpc/tanstack-react-query';
import type { Job, JobEvent } from '../../server/client.ts';
import { useTRPC } from './trpc.ts';

const keptLines = 400;

/** Milliseconds between looks for jobs that somebody else has started. */
const idle = 10_000;

/**
 * All jobs, newest first, and the lines they have written since the page was opened. While a job waits or runs, a
 * subscription keeps them current. Without one, and in a tab that nobody sees, there is none unless `always` is set: a
 * browser keeps only six connections to a server, over all tabs. `every`: milliseconds between looks for new jobs.
 */
export function useJobs({ always = false, every = idle }: { always?: boolean; every?: number } = {}): {
  jobs: Job[] | undefined;
  logs: Record<string, string[]>;
  connected: boolean;
  error: unknown;
} {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const visible = useSyncExternalStore(watchVisibility, isVisible, () => true);
  const list = useQuery(
    trpc.jobs.list.queryOptions(undefined, {
      refetchInterval: (query) => (always || query.state.data?.some(isActive) ? false : every),
    }),
  );
  const following = visible && (always || (list.data?.some(isActive) ?? false));
  const [logs, setLogs] = useState<Record<string, string[]>>({});

  const subscription = useSubscription(
    trpc.jobs.watch.subscriptionOptions(
      {},
      {
        enabled: following,
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

export function isActive({ status }: Pick<Job, 'status'>): boolean {
  return status === 'queued' || status === 'running';
}

function watchVisibility(changed: () => void): () => void {
  document.addEventListener('visibilitychange', changed);
  return () => document.removeEventListener('visibilitychange', changed);
}
const isVisible = () => document.visibilityState === 'visible';

function merge(jobs: readonly Job[], job: Job): Job[] {
  const others = jobs.filter((one) => one.id !== job.id);
  return [...others, job].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

function isJobsQuery(key: readonly unknown[]): boolean {
  const [path] = key;
  return Array.isArray(path) && path[0] === 'jobs';
}
