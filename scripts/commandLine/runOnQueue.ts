/** Puts jobs into a queue of other machines' and waits until they are done. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Job, JobDetail } from '../../server/contract/jobs.ts';
import type { Queue } from '../../server/jobs/queue.ts';
import type { Resources } from '../../server/workers/resources.ts';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { shareDone } from '../../server/jobs/splitJob.ts';
import { refreshStored } from '../../sae/store/remote/bringIn.ts';
import { environment, program } from './environment.ts';
import type { Session } from './runCommand.ts';

/** Where jobs run, if not here. */
export interface LaunchFlags {
  queue?: string | undefined;
  launcher?: 'slurm' | undefined;
  sbatch?: string | undefined;
  resources?: string | undefined;
  priority?: number | undefined;
  /** Of a training: whether a run that is there goes on. */
  resume?: boolean | undefined;
}

/** A job, and the name of what it makes or looks at. */
export interface PlannedJob {
  name: string;
  job: JobStartInput;
}

interface Elsewhere {
  queue: Queue;
  start(planned: readonly PlannedJob[]): Promise<Job[]>;
  /** What to say of who does the jobs. */
  who: string;
}

/** Throws 'bad_input' for a flag that says nothing without another one. */
export function refuseLoneFlags({
  queue,
  launcher,
  sbatch,
  resources,
  priority,
  parts,
  part,
}: LaunchFlags & { parts?: number | undefined; part?: string | undefined }): void {
  const refuse = (why: string) => new LazyscopeError('bad_input', why);
  const elsewhere = queue !== undefined || launcher !== undefined;
  if (queue !== undefined && launcher !== undefined)
    throw refuse('--queue and --launcher are two ways to run the same jobs: give one of them.');
  if (sbatch !== undefined && launcher === undefined)
    throw refuse('--sbatch goes with --launcher slurm: add that, or leave it out.');
  if (priority !== undefined && queue === undefined)
    throw refuse('--priority goes with --queue: add that, or leave it out.');
  if (resources !== undefined && !elsewhere)
    throw refuse('--resources goes with --queue or --launcher: add one of them, or leave it out.');
  if (parts !== undefined && !elsewhere)
    throw refuse('--parts goes with --queue or --launcher: add one of them, or do each part with --part.');
  if (part !== undefined && elsewhere)
    throw refuse('--part is for this machine alone: leave it out, or give --parts for the number of them.');
}

/**
 * The jobs as they ended, in the order of the planned ones. Where there is an unfinished job of the kind and name already, it is waited for.
 * Throws 'conflict' for a run that exists without `resume`, before any job is made, and 'cancelled' on Ctrl-C, after which the jobs go on.
 */
export async function runOnQueue(
  session: Session,
  planned: readonly PlannedJob[],
  flags: LaunchFlags,
): Promise<JobDetail[]> {
  const { store, say, report, signal } = session;
  const { queue, start, who } = await (flags.launcher === undefined
    ? redis(session, flags)
    : slurm(session, flags));
  const keyOf = (kind: string, name: string) => `${kind} ${name}`;
  const own = ({ name, job }: PlannedJob) => keyOf(job.kind, name);
  try {
    const busy = new Map(
      queue
        .list()
        .flatMap(({ id, kind, finishedAt, subject }) =>
          finishedAt === null && subject ? [[keyOf(kind, subject.name), id] as const] : [],
        ),
    );
    const idle = planned.filter((one) => !busy.has(own(one)));
    const taken = idle.find(({ name, job }) => job.kind === 'train' && existsSync(store.runManifest(name)));
    if (taken && !flags.resume)
      throw new LazyscopeError(
        'conflict',
        `Run '${taken.name}' exists: go on with --resume, which leaves finished runs as they are, or choose another name.`,
      );
    const started = idle.length > 0 ? await start(idle) : [];
    for (const [at, { id }] of started.entries()) busy.set(own(idle[at]), id);
    const ids = planned.map((one) => busy.get(own(one)) ?? '');
    const there = planned.length - started.length;
    say(`${started.length} ${started.length === 1 ? 'job' : 'jobs'} put into the queue${there > 0 ? `, ${there} there already` : ''}. ${who}`); // prettier-ignore
    const status = new Map<string, string>();
    const names = new Map(ids.map((id, at) => [id, planned[at].name]));
    const unit = planned.every(({ job }) => job.kind === 'train') ? 'runs' : 'jobs';
    for await (const [, { job }] of queue.watch({}, signal)) {
      const name = names.get(job.id);
      if (name === undefined) continue;
      if (status.get(job.id) !== job.status) {
        const where = job.status === 'running' && job.worker !== undefined ? ` (${job.worker})` : '';
        say(`${name}: ${job.status}${where}${job.error ? `: ${job.error}` : ''}`);
        status.set(job.id, job.status);
      }
      const jobs = ids.map((id) => queue.get(id));
      report({ stage: unit, done: jobs.reduce((sum, one) => sum + shareOf(one), 0), total: ids.length, unit }); // prettier-ignore
      if (jobs.every(({ finishedAt }) => finishedAt !== null)) break;
    }
    if (signal.aborted)
      throw new LazyscopeError(
        'cancelled',
        `Stopped waiting; the jobs go on: the same command${unit === 'runs' ? ' with --resume' : ''} waits for them again.`,
      );
    // What the jobs have made is read next.
    await refreshStored(store.root);
    return ids.map((id) => queue.get(id));
  } finally {
    await queue.close();
  }
}

/** A job goes through several stages, each with a progress of its own, so that the end of one is not yet the end of the job. */
const shareOf = (job: JobDetail) => (job.finishedAt === null ? Math.min(shareDone(job), 0.99) : 1);

async function redis({ store, say }: Session, flags: LaunchFlags): Promise<Elsewhere> {
  const { openRedisQueue } = await import('../../server/workers/openRedisQueue.ts');
  const resources = flags.resources === undefined ? undefined : await needs(flags);
  const { queue: address = '', priority } = flags;
  const queue = await openRedisQueue({ store, address, password: environment.queuePassword, log: say });
  const there = (await queue.workers()).filter(({ gone }) => !gone).length;
  return {
    queue,
    start: async (planned) => {
      const jobs: Job[] = [];
      for (const { job } of planned) jobs.push(await queue.start(job, { priority, resources }));
      return jobs;
    },
    who:
      there === 0 ? `No worker is there yet: start 'lazyscope worker'.` : `Workers that are there: ${there}.`,
  };
}

async function slurm({ store, say }: Session, flags: LaunchFlags): Promise<Elsewhere> {
  const { SlurmQueue } = await import('../../server/slurm/slurmQueue.ts');
  const { Slurm } = await import('../../server/slurm/slurm.ts');
  const resources = await needs(flags);
  const queue = await SlurmQueue.open({
    store,
    cluster: new Slurm(),
    program,
    sbatch: flags.sbatch,
    log: say,
  });
  return {
    queue,
    start: (planned) => queue.startAll(planned.map(({ job }) => job), resources), // prettier-ignore
    who: `Scripts and logs are in '${store.launches()}'.`,
  };
}

export async function needs({ resources }: Pick<LaunchFlags, 'resources'>): Promise<Resources> {
  const { parseResources } = await import('../../server/workers/resources.ts');
  const none = { gpu: 0, memory: 0 };
  return resources === undefined ? none : parseResources(resources, none);
}
