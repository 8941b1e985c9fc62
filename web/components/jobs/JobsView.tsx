'use client';
import { useUrlState } from '../../client/useUrlState.ts';
import { useJobs } from '../../client/useJobs.ts';
import { jobForms } from './jobForms.ts';
import type { JobKind } from '../../../server/client.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { JobCard } from './JobCard.tsx';
import { JobForm } from './JobForm.tsx';
import styles from './JobsView.module.css';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';

const defaults = { start: 'capture', job: '', run: '', a: '', b: '', name: '', swap: '', comparison: '' };
/** Fields that an address may fill in. */
const given = ['run', 'a', 'b', 'name', 'swap', 'comparison'] as const;
const kinds = Object.keys(jobForms) as JobKind[];
const shortNames: Record<JobKind, string> = {
  capture: 'Capture',
  train: 'Train',
  evaluate: 'Evaluate',
  index: 'Index',
  compare: 'Compare',
  map: 'Map',
  sparsity: 'Lazy neurons',
};

export function JobsView() {
  const [state, change] = useUrlState(defaults);
  const kind = kinds.find((one) => one === state.start) ?? 'capture';
  const { jobs, logs, connected, error } = useJobs();
  return (
    <>
      <PageHeader title="Jobs">
        Each is a command of the command line, run by the server; what it writes is in the store, whoever
        started it.
      </PageHeader>
      <div className={styles.grid}>
        <Panel title="Start a job" note={jobForms[kind].says}>
          <div className="stack">
            <Segmented
              label="Kind of job"
              value={kind}
              options={kinds.map((value) => ({ value, name: shortNames[value] }))}
              change={(start) => change({ start })}
            />
            <JobForm
              key={kind}
              kind={kind}
              initial={Object.fromEntries(
                given.flatMap((field) => (state[field] ? [[field, state[field]]] : [])),
              )}
              started={(id) => change({ job: id })}
            />
          </div>
        </Panel>
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
