'use client';
import Link from 'next/link';
import { useId } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { jobs } from '../../../sae/spec/jobs/jobs.ts';
import type { Job } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { isActive } from '../../client/useJobs.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useNow } from '../../client/useNow.ts';
import { ago, duration } from '../../format/time.ts';
import { Command } from '../ui/Command.tsx';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import styles from './JobCard.module.css';
import { JobProgress } from './JobProgress.tsx';
import { JobParts } from './JobParts.tsx';
import { StatusTag } from '../ui/Tag.tsx';

export function JobCard({
  job,
  lines,
  open,
  toggle,
}: {
  job: Job;
  /** Written since the page opened. */
  lines: readonly string[];
  open: boolean;
  toggle: () => void;
}) {
  const trpc = useTRPC();
  const cancel = useMutation(trpc.jobs.cancel.mutationOptions());
  const body = useId();
  const now = useNow();
  const active = isActive(job);
  return (
    <li className={styles.card}>
      <div className={styles.head}>
        <button
          type="button"
          className={styles.title}
          aria-expanded={open}
          aria-controls={body}
          onClick={toggle}
        >
          <span className={styles.chevron} data-open={open || undefined} aria-hidden="true" />
          {jobs[job.kind].title}
        </button>
        {job.subject && <Subject {...job.subject} job={job} />}
        <StatusTag status={job.status} />
        <span className={`${styles.when} xs muted num`}>
          {took(job)}
          {ago(job.createdAt, now)}
        </span>
        {active && (
          <button
            type="button"
            className="button"
            disabled={cancel.isPending}
            onClick={() => cancel.mutate({ id: job.id })}
            aria-label={`Cancel ${jobs[job.kind].title}`}
          >
            {cancel.isPending ? 'Cancelling…' : 'Cancel'}
          </button>
        )}
      </div>
      {active && job.progress && <JobProgress progress={job.progress} />}
      {job.status === 'queued' && <p className="xs muted">{waits[job.where ?? 'here']}</p>}
      {job.status !== 'queued' && job.worker !== undefined && (
        <p className="xs muted">
          On {job.worker}
          {(job.attempt ?? 1) > 1 ? `, attempt ${job.attempt}` : ''}
        </p>
      )}
      {active && job.parts && <JobParts parts={job.parts} />}
      {job.error && (
        <p className={styles.error} role="alert">
          {job.error}
        </p>
      )}
      {job.status === 'lost' && (
        <p className="small muted">
          The server stopped while it ran. Trainings and captures go on where they were: start it again.
        </p>
      )}
      {cancel.isError && <ErrorNotice error={cancel.error} />}
      <div id={body} hidden={!open}>
        {open && <JobDetails job={job} lines={lines} />}
      </div>
    </li>
  );
}

const waits = {
  here: 'Waits for the one before it.',
  workers: 'Waits for a worker that has room for it, and for jobs that make what it reads.',
  slurm: 'Waits in the queue of Slurm.',
};

/**
 * What the job is about, and the way to it once it is done. The page of a run has progress to show before, and is there after a failure where the job had
 * begun to train it, or it had been trained before.
 */
function Subject({ what, name, job }: NonNullable<Job['subject']> & { job: Job }) {
  const trpc = useTRPC();
  const isRun = what === 'run';
  const runs = useQuery(trpc.runs.list.queryOptions(undefined, { enabled: isRun && !isActive(job) }));
  const hasPage = isRun
    ? isActive(job) || runs.data?.some((run) => run.name === name) === true
    : job.status === 'done';
  return hasPage ? (
    <Link href={resultPages[what](name)} className={styles.subject}>
      {name}
    </Link>
  ) : (
    <span className={styles.subject}>{name}</span>
  );
}

/** Models and captures have no pages of their own: what comes next is to capture, or to train on it. */
const resultPages: Record<NonNullable<Job['subject']>['what'], (name: string) => string> = {
  model: (name) => paths.startJob('capture', { model: name }),
  capture: (name) => paths.startJob('train', { capture: name }),
  run: paths.run,
  comparison: paths.comparison,
  sparsityReport: paths.report,
};

function JobDetails({ job, lines }: { job: Job; lines: readonly string[] }) {
  const trpc = useTRPC();
  const detail = useQuery(trpc.jobs.get.queryOptions({ id: job.id }));
  const kept = detail.data?.log ?? [];
  // The server keeps the last lines; those that came since are added, not repeated.
  const fresh = lines.slice(Math.max(0, overlap(kept, lines)));
  const log = [...kept, ...fresh];
  return (
    <div className={styles.details}>
      <div>
        <h3>Command</h3>
        <Command text={job.command} />
      </div>
      {log.length > 0 && (
        <div>
          <h3>Log</h3>
          <pre className={styles.log} tabIndex={0} role="log" aria-label="Log">
            {log.join('\n')}
          </pre>
        </div>
      )}
      {detail.data?.result !== null && detail.data?.result !== undefined && (
        <div>
          <h3>Result</h3>
          <pre className={styles.log} tabIndex={0} aria-label="Result">
            {JSON.stringify(detail.data.result, null, 2)}
          </pre>
        </div>
      )}
      {detail.isError && <ErrorNotice error={detail.error} />}
    </div>
  );
}

/** How many of the fresh lines the kept ones already end with. */
function overlap(kept: readonly string[], lines: readonly string[]): number {
  for (let length = Math.min(kept.length, lines.length); length > 0; length--)
    if (lines.slice(0, length).every((line, index) => line === kept[kept.length - length + index]))
      return length;
  return 0;
}

function took(job: Job): string {
  if (!job.startedAt || !job.finishedAt) return '';
  return `${duration((Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000)} · `;
}
