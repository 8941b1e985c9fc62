/** The work of a command as jobs of workers or of Slurm: what they can be given, and what comes of them. */
import { LazyscopeError } from '../../sae/errors.ts';
import { flagOf } from '../../sae/spec/jobs/job.ts';
import { describedJob, type JobKind } from '../../sae/spec/jobs/jobs.ts';
import type { JobDetail } from '../../server/contract/jobs.ts';
import { checkedJob } from './parseJob.ts';
import type { Session } from './runCommand.ts';
import { runOnQueue, type LaunchFlags, type PlannedJob } from './runOnQueue.ts';

/** Options that say where and how jobs run, and not what they do. */
const ofLaunching: readonly string[] = ['queue', 'launcher', 'sbatch', 'resources', 'priority', 'parts'];

/** Whether a job can have the option. */
export const isOffered = (kind: JobKind, name: string) =>
  describedJob(kind).options[name]?.form !== undefined;

/** Throws 'bad_input' for what would be given and have no effect; options in `besides` have one. */
export function refuseUnshared(
  { options: { backend, threads } }: Session,
  kind: JobKind,
  given: object,
  besides: readonly string[] = [],
): void {
  const table = describedJob(kind).options;
  const unshared = Object.entries(given).find(
    ([name, value]) =>
      ![...ofLaunching, ...besides].includes(name) &&
      !isOffered(kind, name) &&
      value !== table[name]?.default,
  );
  const off = unshared && table[unshared[0]]?.default === true ? 'no-' : '';
  if (unshared)
    throw new LazyscopeError(
      'bad_input',
      `--${off}${flagOf(unshared[0], table[unshared[0]])} is for this machine alone: leave it out, or work here.`,
    );
  if ((backend !== undefined && backend !== 'auto') || threads !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `--${threads === undefined ? 'backend' : 'threads'} is said where the jobs run (lazyscope worker, --sbatch=--cpus-per-task=N): leave it out here.`,
    );
}

type Given = LaunchFlags & { parts?: number | undefined };

/** Whether the flags hand the work to other processes. */
export const isElsewhere = ({ queue, launcher }: LaunchFlags) =>
  queue !== undefined || launcher !== undefined;

/**
 * Jobs of one kind, waited for. `own` are options of each that differ from what was given, and its name. Gives what the command of each
 * printed, and a failure where one is not done.
 */
export async function jobsElsewhere(
  session: Session,
  kind: JobKind,
  given: Given,
  own: readonly { name: string; options: object }[],
): Promise<{ results: unknown[]; failure: LazyscopeError | undefined }> {
  refuseUnshared(session, kind, given);
  const offered = Object.entries(given).filter(([name]) => isOffered(kind, name));
  const { parts } = given;
  const planned: PlannedJob[] = [];
  for (const { name, options } of own)
    planned.push({
      name,
      job: await checkedJob({
        kind,
        options: { ...Object.fromEntries(offered), ...options },
        ...(parts !== undefined && { parts }),
      }),
    });
  const jobs = await runOnQueue(session, planned, given);
  const failed = jobs.filter(({ status }) => status !== 'done');
  return {
    results: jobs.flatMap((job) => (job.status === 'done' ? [job.result] : [])),
    failure: failed.length > 0 ? whyFailed(failed, jobs, planned) : undefined,
  };
}

function whyFailed(
  failed: readonly JobDetail[],
  jobs: readonly JobDetail[],
  planned: readonly PlannedJob[],
): LazyscopeError {
  const [first] = failed;
  const { name } = planned[jobs.indexOf(first)];
  return new LazyscopeError(
    'bad_input',
    `${failed.length} of ${jobs.length} jobs are not done, '${name}' because: ${first.error ?? `it is ${first.status}`}`,
  );
}
