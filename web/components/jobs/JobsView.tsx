'use client';
import { useUrlState } from '../../client/useUrlState.ts';
import { useJobs } from '../../client/useJobs.ts';
import { describedJob, jobKinds } from '../../../sae/spec/jobs/jobs.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { JobCard } from './JobCard.tsx';
import { JobForm } from './JobForm.tsx';
import styles from './JobsView.module.css';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { WorkersPanel } from './WorkersPanel.tsx';

/** Fields that an address may fill in. */
const fields = [...new Set(jobKinds.flatMap((kind) => Object.keys(describedJob(kind).options)))];
const defaults: Record<string, string> & { start: string; job: string } = {
  ...Object.fromEntries(fields.map((name) => [name, ''])),
  start: 'capture',
  job: '',
};

export function JobsView() {
  const [state, change] = useUrlState(defaults);
  const kind = jobKinds.find((one) => one === state.start) ?? 'capture';
  const { jobs, logs, connected, error } = useJobs({ always: true });
  return (
    <>
      <PageHeader title="Jobs">
        Each is a command of the command line, run by the server; what it writes is in the store, whoever
        started it.
      </PageHeader>
      <div className={styles.grid}>
        <div className="stack">
          <Panel title="Start a job" note={describedJob(kind).introduction}>
            <div className="stack">
              <Segmented
                label="Kind of job"
                value={kind}
                options={jobKinds.map((value) => ({ value, name: describedJob(value).shortTitle }))}
                change={(start) => change({ start })}
              />
              <JobForm
                key={kind}
                kind={kind}
                initial={Object.fromEntries(
                  fields.flatMap((name) => (state[name] ? [[name, state[name]]] : [])),
                )}
                started={(id) => change({ job: id })}
              />
            </div>
          </Panel>
          <WorkersPanel />
        </div>
        <section aria-label="Jobs" className="stack">
          <p className="xs muted" role="status">
            {error ? '' : connected ? 'Following live.' : 'Connecting…'}
          </p>
          {error !== null && error !== undefined && jobs === undefined && <ErrorNotice error={error} />}
          {jobs === undefined ? (
            error ? null : (
              <Skeleton height={200} />
            )
          ) : jobs.length === 0 ? (
            <EmptyState title="No job has been started here">
              Start one beside this, or on the command line: what a command writes shows up in the explorer as
              well.
            </EmptyState>
          ) : (
            <ul className="stack">
              {jobs.map((job) => (
                <JobCard
                  key={job.id}
                  job={job}
                  lines={logs[job.id] ?? []}
                  open={job.id === state.job}
                  toggle={() => change({ job: job.id === state.job ? '' : job.id })}
                />
              ))}
            </ul>
          )}
        </section>
      </div>
    </>
  );
}
