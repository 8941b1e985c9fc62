'use client';
import Link from 'next/link';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { JobStartInput } from '../../../sae/spec/jobs/jobs.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';

/** Starts one job with everything at its default, and then leads to it. */
export function StartJob({ job, children }: { job: JobStartInput; children: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const start = useMutation(
    trpc.jobs.start.mutationOptions({
      onSuccess: () => queries.invalidateQueries(trpc.jobs.list.queryFilter()),
    }),
  );
  if (start.data)
    return (
      <Link href={paths.job(start.data.id)} className="button">
        Started: see the job
      </Link>
    );
  return (
    <>
      <button type="button" className="button" disabled={start.isPending} onClick={() => start.mutate(job)}>
        {start.isPending ? 'Starting…' : children}
      </button>
      {start.isError && <ErrorNotice error={start.error} />}
    </>
  );
}
