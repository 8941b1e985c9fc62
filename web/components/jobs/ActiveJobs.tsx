import Link from 'next/link';
import { jobs } from '../../../sae/spec/jobs/jobs.ts';
import type { Job } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { Panel } from '../ui/Panel.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import styles from './JobLines.module.css';
import { JobProgress } from './JobProgress.tsx';

/** Jobs that wait or run, each with its progress and the way to its card; nothing where there are none. */
export function ActiveJobs({ title, active }: { title: string; active: readonly Job[] }) {
  if (active.length === 0) return null;
  return (
    <Panel title={title} note="This page follows it.">
      <ul className={styles.lines}>
        {active.map((job) => (
          <li key={job.id} className={styles.line}>
            <Link href={paths.job(job.id)}>{jobs[job.kind].title}</Link>
            {job.subject?.what === 'run' && (
              <Link href={paths.run(job.subject.name)} className="plain">
                {job.subject.name}
              </Link>
            )}
            <StatusTag status={job.status} />
            {job.progress ? (
              <div className={styles.full}>
                <JobProgress progress={job.progress} />
              </div>
            ) : (
              <p className={`${styles.full} xs muted`}>
                {job.status === 'queued' ? 'Waits for the one before it.' : 'Starts…'}
              </p>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
