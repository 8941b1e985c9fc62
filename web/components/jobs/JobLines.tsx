'use client';
import Link from 'next/link';
import { describedJob } from '../../../sae/spec/jobs/jobs.ts';
import { useJobs } from '../../client/useJobs.ts';
import { useNow } from '../../client/useNow.ts';
import { ago } from '../../format/time.ts';
import { paths } from '../../client/paths.ts';
import { JobProgress } from './JobProgress.tsx';
import styles from './JobLines.module.css';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StatusTag } from '../ui/Tag.tsx';

/** The last few jobs, with what is running now. */
export function JobLines() {
  const now = useNow();
  const { jobs: list, error } = useJobs();
  if (list === undefined) return error ? <ErrorNotice error={error} /> : <Skeleton lines={3} />;
  return list.length === 0 ? (
    <p className="small muted">
      Nothing has been started here. <Link href={paths.jobs()}>Start a capture or a training</Link>, or use
      the command line: what it writes shows up here as well.
    </p>
  ) : (
    <ul className={styles.lines}>
      {list.slice(0, 6).map((job) => (
        <li key={job.id} className={styles.line}>
          <Link href={paths.job(job.id)} className="plain">
            {describedJob(job.kind).shortTitle}
            {job.subject ? ` ${job.subject.name}` : ''}
          </Link>
          <StatusTag status={job.status} />
          <span className={`${styles.when} xs faint`}>{ago(job.finishedAt ?? job.createdAt, now)}</span>
          {job.status === 'running' && job.progress && (
            <div className={styles.full}>
              <JobProgress progress={job.progress} />
            </div>
          )}
          {job.error && <p className={`${styles.full} xs`}>{job.error}</p>}
        </li>
      ))}
    </ul>
  );
}
