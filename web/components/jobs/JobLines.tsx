'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { useNow } from '../../client/useNow.ts';
import { ago } from '../../format/time.ts';
import { paths } from '../../client/paths.ts';
import { JobProgress } from './JobProgress.tsx';
import styles from './JobLines.module.css';
import { Loaded } from '../ui/Loaded.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StatusTag } from '../ui/Tag.tsx';

/** The last few jobs, with what is running now. */
export function JobLines() {
  const trpc = useTRPC();
  const now = useNow();
  const jobs = useQuery(
    trpc.jobs.list.queryOptions(undefined, {
      refetchInterval: (query) =>
        query.state.data?.some((job) => job.status === 'running' || job.status === 'queued') ? 2_000 : 20_000,
    }),
  );
  return (
    <Loaded query={jobs} skeleton={<Skeleton lines={3} />}>
      {(list) =>
        list.length === 0 ? (
          <p className="small muted">
            Nothing has been started here. <Link href={paths.jobs()}>Start a capture or a training</Link>, or
            use the command line: what it writes shows up here as well.
          </p>
        ) : (
          <ul className={styles.lines}>
            {list.slice(0, 6).map((job) => (
              <li key={job.id} className={styles.line}>
                <Link href={paths.job(job.id)} className="plain">
                  {job.kind}
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
        )
      }
    </Loaded>
  );
}
