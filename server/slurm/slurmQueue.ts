/**
 * The queue of jobs that Slurm runs. Its truth is in the data folder (launch.ts) and in squeue, so whoever looks at the same folder
 * sees the same jobs, whether a server handed them in or `lazyscope train --launcher slurm` did.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { LazyscopeError } from '../../sae/errors.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput } from '../contract/jobs.ts';
import { readLine } from '../jobs/commands.ts';
import { JobEvents, withoutDetail } from '../jobs/jobEvents.ts';
import { keptLines } from '../jobs/jobQueue.ts';
import { jobSubject } from '../jobs/jobSubject.ts';
import { interferes } from '../jobs/machineShare.ts';
import { notCancellable, type Queue } from '../jobs/queue.ts';
import { waitingJob } from '../jobs/waitingJob.ts';
import { whyEnded } from '../jobs/whyEnded.ts';
import type { Log } from '../log.ts';
import type { Resources } from '../workers/resources.ts';
import { launchPaths, readLaunches, writeLaunch, writeScript, type Launch } from './launch.ts';
import type { Cluster, TaskId, TaskState } from './slurm.ts';
import { slurmScript } from './slurmScript.ts';

export interface SlurmQueueOptions {
  store: StoreLayout;
  cluster: Cluster;
  /** The program that runs the command line, at the same path on every node. */
  program: readonly [string, ...string[]];
  backend?: string | undefined;
  /** Options of sbatch for every array. */
  sbatch?: string | undefined;
  log: Log;
  /** Jobs that ran without Slurm. */
  past?: Queue | undefined;
}

interface Task {
  job: JobDetail;
  launch: Launch;
  index: number;
  task: TaskId;
  /** Bytes of its log that were read. */
  read: number;
  /** What its log ended with that is no whole line yet. */
  rest: string;
  /** When squeue was first without it. */
  missingSince: number | undefined;
}

/** Milliseconds between two looks into the folder, and between two questions to squeue, of which an administrator wants few. */
const lookEvery = 1_000;
const askEvery = 3_000;
/** Milliseconds that the exit code of a task may take to arrive on a shared disk after squeue has dropped it. */
const grace = 10_000;

export class SlurmQueue implements Queue {
  readonly #options: SlurmQueueOptions;
  readonly #tasks = new Map<string, Task>();
  readonly #launches = new Set<string>();
  readonly #events = new JobEvents();
  #running = new Map<TaskId, TaskState>();
  #askedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closing = false;

  private constructor(options: SlurmQueueOptions) {
    this.#options = options;
  }

  static async open(options: SlurmQueueOptions): Promise<SlurmQueue> {
    const queue = new SlurmQueue(options);
    await queue.#look();
    queue.#lookLater();
    return queue;
  }

  list(): Job[] {
    const own = [...this.#tasks.values()].map(({ job }) => withoutDetail(job)).reverse();
    return [...own, ...(this.#options.past?.list() ?? [])];
  }

  get(id: string): JobDetail {
    const task = this.#tasks.get(id);
    if (task) return { ...task.job };
    if (this.#options.past) return this.#options.past.get(id);
    throw new LazyscopeError('not_found', `There is no job '${id}': see the list of jobs.`);
  }

  async start(input: JobStartInput): Promise<Job> {
    const [job] = await this.startAll([input], { gpu: 0, memory: 0 });
    return job;
  }

  /** One array with a task a job. It waits for unfinished jobs that make what one of its own reads, or read what it makes. */
  async startAll(jobs: JobStartInput[], resources: Resources): Promise<Job[]> {
    if (this.#closing)
      throw new LazyscopeError('unavailable', 'The server is shutting down: start the job when it is back.');
    const { store, cluster, program, backend, sbatch } = this.#options;
    const createdAt = new Date().toISOString();
    const id = `${createdAt.replaceAll(/\D/g, '').slice(0, 17)}-${randomBytes(3).toString('hex')}`;
    const own = jobs.map((input) => waitingJob('', input, createdAt));
    const after = [...this.#tasks.values()]
      .filter(({ job }) => job.finishedAt === null && own.some((one) => interferes(one, job)))
      .map(({ task }) => task);
    const { folder } = launchPaths(store, id);
    const script = slurmScript({ id, folder, dataFolder: store.root, program, jobs, resources, options: sbatch, backend, after }); // prettier-ignore
    const array = await cluster.submit(await writeScript(store, id, script));
    const launch: Launch = { version: 1, id, createdAt, array, jobs };
    await writeLaunch(store, launch);
    this.#add(launch);
    this.#askedAt = -Infinity;
    return jobs.map((_, index) => withoutDetail(this.get(`${id}.${index}`)));
  }

  async cancel(id: string): Promise<Job> {
    const { status } = this.get(id);
    const task = this.#tasks.get(id);
    if (!task || (status !== 'queued' && status !== 'running')) throw notCancellable({ id, status });
    await writeFile(launchPaths(this.#options.store, task.launch.id).cancelled(task.index), '');
    await this.#options.cluster.cancel(task.task);
    this.#askedAt = -Infinity;
    return withoutDetail(task.job);
  }

  watch(input: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]> {
    return this.#events.watch(
      input,
      () => this.list(),
      (id) => this.get(id),
      signal,
    );
  }

  get watchers(): number {
    return this.#events.watchers;
  }

  /** Jobs go on without this process. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#options.past?.close();
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .catch((error: unknown) => this.#options.log('Slurm could not be asked about its jobs.', error))
        .finally(() => {
          if (!this.#closing) this.#lookLater();
        });
    }, lookEvery);
  }

  async #look(): Promise<void> {
    for (const launch of await readLaunches(this.#options.store, this.#launches)) this.#add(launch);
    const live = [...this.#tasks.values()].filter(({ job }) => job.finishedAt === null);
    if (live.length === 0) return;
    if (performance.now() - this.#askedAt >= askEvery) {
      this.#running = await this.#options.cluster.tasks();
      this.#askedAt = performance.now();
    }
    for (const task of live) await this.#lookAt(task);
  }

  #add(launch: Launch): void {
    if (this.#launches.has(launch.id)) return;
    this.#launches.add(launch.id);
    for (const [index, input] of launch.jobs.entries()) {
      const job: JobDetail = {
        ...waitingJob(`${launch.id}.${index}`, input, launch.createdAt),
        where: 'slurm',
      };
      const task: TaskId = `${launch.array}_${index}`;
      this.#tasks.set(job.id, { job, launch, index, task, read: 0, rest: '', missingSince: undefined });
      this.#events.status(job);
    }
  }

  async #lookAt(task: Task): Promise<void> {
    const { job, launch, index } = task;
    const paths = launchPaths(this.#options.store, launch.id);
    const exited = existsSync(paths.exit(index));
    await this.#readLog(task, paths.log(index));
    const state = this.#running.get(task.task);
    if (exited && state?.state !== 'PENDING') return this.#exited(task, Number(await readFile(paths.exit(index), 'utf8'))); // prettier-ignore
    if (state) {
      task.missingSince = undefined;
      const status = state.state === 'PENDING' || state.state === 'CONFIGURING' ? 'queued' : 'running';
      if (status === job.status) return;
      job.status = status;
      if (status === 'running') {
        job.startedAt ??= new Date().toISOString();
        job.worker = `${state.node} (Slurm ${task.task})`;
        job.attempt = (job.attempt ?? 0) + 1;
      }
      return this.#events.status(job);
    }
    task.missingSince ??= performance.now();
    const cancelled = existsSync(paths.cancelled(index));
    if (performance.now() - task.missingSince < (cancelled ? 0 : grace)) return;
    const ending = await this.#options.cluster.ending(task.task);
    if (ending !== undefined && /^(PENDING|RUNNING|COMPLETING|REQUEUED|CONFIGURING|SUSPENDED)$/.test(ending))
      return;
    job.status = cancelled || ending === 'CANCELLED' ? 'cancelled' : 'failed';
    if (job.status === 'failed')
      job.error = `Slurm ended this job${ending === undefined ? '' : ` (${ending})`} before it could say its exit code: ask for more time or memory with --sbatch, and start it again.`;
    this.#finish(job);
  }

  async #exited({ job, launch, index }: Task, exitCode: number): Promise<void> {
    const paths = launchPaths(this.#options.store, launch.id);
    job.exitCode = exitCode;
    job.startedAt ??= launch.createdAt;
    job.status = exitCode === 0 ? 'done' : exitCode === 130 ? 'cancelled' : 'failed';
    if (exitCode === 0) {
      job.result = JSON.parse(await readFile(paths.output(index), 'utf8'));
      job.subject ??= jobSubject(job, job.result);
    }
    if (job.status === 'failed') job.error = whyEnded({ exitCode, signal: null }, job.log);
    this.#finish(job);
  }

  #finish(job: JobDetail): void {
    job.finishedAt = new Date().toISOString();
    this.#events.status(job);
  }

  /** Reads what the task has said since the last look. */
  async #readLog(task: Task, path: string): Promise<void> {
    if (!existsSync(path)) return;
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size <= task.read) return;
      const bytes = Buffer.alloc(Math.min(size - task.read, 1 << 24));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, task.read);
      task.read += bytesRead;
      const lines = (task.rest + bytes.toString('latin1', 0, bytesRead)).split('\n');
      task.rest = lines.pop() ?? '';
      for (const line of lines) this.#said(task.job, Buffer.from(line, 'latin1').toString('utf8'));
    } finally {
      await file.close();
    }
  }

  #said(job: JobDetail, text: string): void {
    readLine(text, {
      progress: (progress) => {
        const stage = job.progress?.stage;
        job.progress = progress;
        this.#events.progress(job, stage);
      },
      line: (line) => {
        job.log.push(line);
        if (job.log.length > keptLines) job.log.shift();
        this.#events.line(job, line);
      },
    });
  }
}
