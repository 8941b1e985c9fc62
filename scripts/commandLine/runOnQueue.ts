/** Puts runs into a queue of another machine's and waits until they are done. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Job, JobDetail } from '../../server/contract/jobs.ts';
import type { Queue } from '../../server/jobs/queue.ts';
import type { Resources } from '../../server/workers/resources.ts';
import { environment, program } from './environment.ts';
import type { PlannedRun } from './plannedRuns.ts';
import type { Session } from './runCommand.ts';

/** Where runs are made, if not here. */
export interface LaunchFlags {
  queue?: string | undefined;
  launcher?: 'slurm' | undefined;
  sbatch?: string | undefined;
  resources?: string | undefined;
  priority?: number | undefined;
  resume?: boolean | undefined;
}

interface Elsewhere {
  queue: Queue;
  start(runs: readonly PlannedRun[]): Promise<Job[]>;
  /** What to say of who does the jobs. */
  who: string;
}

/**
 * The jobs as they ended, in the order of the runs. A run for which there is a job already is waited for. Throws 'conflict' for a run
 * that exists without `resume`, before any job is made, and 'cancelled' on Ctrl-C, after which the jobs go on.
 */
export async function runOnQueue(
  session: Session,
  runs: readonly PlannedRun[],
  flags: LaunchFlags,
): Promise<JobDetail[]> {
  const { store, say, report, signal } = session;
  const { queue, start, who } = await (flags.launcher === undefined
    ? redis(session, flags)
    : slurm(session, flags));
  try {
    const busy = new Map(
      queue
        .list()
        .filter(({ kind, finishedAt, subject }) => kind === 'train' && finishedAt === null && subject)
        .map(({ id, subject }) => [subject?.name, id]),
    );
    const taken = runs.find(({ name }) => !busy.has(name) && existsSync(store.runManifest(name)));
    if (taken && !flags.resume)
      throw new LazyscopeError(
        'conflict',
        `Run '${taken.name}' exists: go on with --resume, which leaves finished runs as they are, or choose another name.`,
      );
    const idle = runs.filter(({ name }) => !busy.has(name));
    const started = idle.length > 0 ? await start(idle) : [];
    for (const [at, { id }] of started.entries()) busy.set(idle[at].name, id);
    const ids = runs.map(({ name }) => busy.get(name) ?? '');
    say(`${started.length} jobs put into the queue, ${runs.length - started.length} there already. ${who}`);
    const status = new Map<string, string>();
    const names = new Map(ids.map((id, at) => [id, runs[at].name]));
    for await (const [, { job }] of queue.watch({}, signal)) {
      const name = names.get(job.id);
      if (name === undefined) continue;
      if (status.get(job.id) !== job.status) {
        const where = job.status === 'running' && job.worker !== undefined ? ` (${job.worker})` : '';
        say(`${name}: ${job.status}${where}${job.error ? `: ${job.error}` : ''}`);
        status.set(job.id, job.status);
      }
      const jobs = ids.map((id) => queue.get(id));
      report({ stage: 'runs', done: jobs.reduce((sum, one) => sum + shareDone(one), 0), total: ids.length, unit: 'runs' }); // prettier-ignore
      if (jobs.every(({ finishedAt }) => finishedAt !== null)) break;
    }
    if (signal.aborted)
      throw new LazyscopeError(
        'cancelled',
        'Stopped waiting; the jobs go on: the same command with --resume waits for them again.',
      );
    return ids.map((id) => queue.get(id));
  } finally {
    await queue.close();
  }
}

async function redis({ store, say }: Session, flags: LaunchFlags): Promise<Elsewhere> {
  const { openRedisQueue } = await import('../../server/workers/openRedisQueue.ts');
  const resources = flags.resources === undefined ? undefined : await needs(flags);
  const { queue: address = '', priority } = flags;
  const queue = await openRedisQueue({ store, address, password: environment.queuePassword, log: say });
  const there = (await queue.workers()).length;
  return {
    queue,
    start: async (runs) => {
      const jobs: Job[] = [];
      for (const { job } of runs) jobs.push(await queue.start(job, { priority, resources }));
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
    start: (runs) => queue.startAll(runs.map(({ job }) => job), resources), // prettier-ignore
    who: `Scripts and logs are in '${store.launches()}'.`,
  };
}

export async function needs({ resources }: Pick<LaunchFlags, 'resources'>): Promise<Resources> {
  const { parseResources } = await import('../../server/workers/resources.ts');
  const none = { gpu: 0, memory: 0 };
  return resources === undefined ? none : parseResources(resources, none);
}

function shareDone({ status, progress }: JobDetail): number {
  if (status === 'done') return 1;
  return progress && progress.total > 0 ? Math.min(1, progress.done / progress.total) : 0;
}
