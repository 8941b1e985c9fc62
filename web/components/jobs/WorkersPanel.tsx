'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { describedJob } from '../../../sae/spec/jobs/jobs.ts';
import type { JobWorker, WorkerJob } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { bytes } from '../../format/number.ts';
import { duration } from '../../format/time.ts';
import { Command } from '../ui/Command.tsx';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import styles from './WorkersPanel.module.css';

/** Milliseconds between two looks. */
const every = 3_000;

/** The workers, what each has and does, and when it was heard; nothing where jobs don't run on workers. */
export function WorkersPanel() {
  const trpc = useTRPC();
  const { data, dataUpdatedAt, error } = useQuery(
    trpc.jobs.workers.queryOptions(undefined, { refetchInterval: every }),
  );
  if (error) return <ErrorNotice error={error} />;
  if (!data) return null;
  const there = data.filter(({ gone }) => !gone).length;
  return (
    <Panel
      title="Workers"
      note={there === 0 ? 'None is there.' : `${there} ${there === 1 ? 'takes' : 'take'} jobs.`}
    >
      {data.length === 0 ? (
        <div className="stack">
          <p className="small muted">
            Jobs wait until a worker takes them. Start one on each machine that sees this data folder, with
            the address that the server was given:
          </p>
          <Command text="lazyscope worker --data FOLDER --queue redis://HOST:6379" />
        </div>
      ) : (
        <ul className={styles.workers}>
          {data.map((worker) => (
            <Worker key={worker.name} worker={worker} now={dataUpdatedAt} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Worker({ worker, now }: { worker: JobWorker; now: number }) {
  const { name, gone, jobs, heardAt } = worker;
  const since = Math.max(0, Math.round((now - Date.parse(heardAt)) / 1000));
  return (
    <li className={styles.worker}>
      <div className={styles.head}>
        <span className={styles.name}>{name}</span>
        <StatusTag status={gone ? 'gone' : jobs.length > 0 ? 'works' : 'waits'} />
        <span className={`${styles.heard} xs muted num`}>
          heard {since < 5 ? 'just now' : `${duration(since)} ago`}
        </span>
      </div>
      <p className="xs muted num">{resources(worker)}</p>
      {jobs.map((job) => (
        <p key={job.id} className="small">
          <Doing {...job} />
        </p>
      ))}
    </li>
  );
}

function Doing({ id, job, part }: WorkerJob) {
  if (!job) return <>{id}</>;
  return (
    <>
      <Link href={paths.job(job.id)}>
        {describedJob(job.kind).shortTitle}
        {job.subject ? ` ${job.subject.name}` : ''}
      </Link>
      {part !== null && <span className="muted"> part {part}</span>}
    </>
  );
}

function resources({ concurrency, threads, gpu, memory }: JobWorker): string {
  return [
    `${concurrency} ${concurrency === 1 ? 'job' : 'jobs'} at a time`,
    ...(threads === null ? [] : [`${threads} ${threads === 1 ? 'thread' : 'threads'} each`]),
    ...(gpu > 0 ? [`${gpu} ${gpu === 1 ? 'GPU' : 'GPUs'}`] : []),
    `${bytes(memory)} of memory`,
  ].join(' · ');
}
