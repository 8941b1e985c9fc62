/**
 * The queue of jobs that Slurm runs. Its truth is in the data folder (launch.ts) and in squeue, so whoever looks at the same folder
 * sees the same jobs, whether a server handed them in or `lazyscope train --launcher slurm` did.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { LazyscopeError } from '../../sae/errors.ts';
import { printPart } from '../../sae/spec/part.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput } from '../contract/jobs.ts';
import { readLine } from '../jobs/commands.ts';
import { JobEvents, withoutDetail } from '../jobs/jobEvents.ts';
import { keptLines } from '../jobs/jobQueue.ts';
import { jobSubject } from '../jobs/jobSubject.ts';
import { interferes } from '../jobs/machineShare.ts';
import { notCancellable, type Queue } from '../jobs/queue.ts';
import { SplitJobs } from '../jobs/splitJob.ts';
import { stagesOf, type Task as PlannedTask } from '../jobs/tasks.ts';
import { waitingJob } from '../jobs/waitingJob.ts';
import { whyEnded } from '../jobs/whyEnded.ts';
import type { Log } from '../log.ts';
import type { Resources } from '../workers/resources.ts';
import { launchPaths, readBegan, readLaunches, writeLaunch, writeScript, type Launch } from './launch.ts';
import type { ArrayId, Cluster, TaskId, TaskState } from './slurm.ts';
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
  readonly where = 'slurm';
  readonly #options: SlurmQueueOptions;
  readonly #tasks = new Map<string, Task>();
  readonly #launches = new Set<string>();
  readonly #events = new JobEvents();
  readonly #splits = new SplitJobs();
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
    const own = [...this.#tasks.values()]
      .filter(({ job }) => !this.#splits.place(job.id))
      .map(({ job }) => withoutDetail(this.#splits.shown(job)))
      .reverse();
    return [...own, ...(this.#options.past?.list() ?? [])];
  }

  get(id: string): JobDetail {
    const task = this.#tasks.get(id);
    if (task) return { ...this.#splits.shown(task.job) };
    if (this.#options.past) return this.#options.past.get(id);
    throw new LazyscopeError('not_found', `There is no job '${id}': see the list of jobs.`);
  }

  async start(input: JobStartInput): Promise<Job> {
    const [job] = await this.startAll([input], { gpu: 0, memory: 0 });
    return job;
  }

  /**
   * One array with a task a job, but for jobs in parts: each of those is an array of its parts, and a task that waits for it. All wait for
   * unfinished jobs that make what one of their own reads, or read what it makes.
   */
  async startAll(jobs: JobStartInput[], resources: Resources): Promise<Job[]> {
    if (this.#closing)
      throw new LazyscopeError('unavailable', 'The server is shutting down: start the job when it is back.');
    const own = jobs.map((input) => waitingJob('', input, new Date().toISOString()));
    const after = [...this.#tasks.values()]
      .filter(({ job }) => job.finishedAt === null && own.some((one) => interferes(one, job)))
      .map(({ task }) => task);
    const ids = new Map<JobStartInput, string>();
    const single = jobs.filter(({ parts }) => parts === undefined);
    if (single.length > 0) {
      const id = newLaunch();
      await this.#launch({ id, jobs: single, tasks: single.map((job) => ({ job })), resources, after });
      for (const [index, job] of single.entries()) ids.set(job, `${id}.${index}`);
    }
    for (const job of jobs.filter(({ parts }) => parts !== undefined))
      ids.set(job, await this.#launchSplit(job, resources, after));
    this.#askedAt = -Infinity;
    return jobs.map((job) => withoutDetail(this.get(ids.get(job) ?? '')));
  }

  /** Gives the id of the job. */
  async #launchSplit(job: JobStartInput, resources: Resources, after: readonly TaskId[]): Promise<string> {
    const [parts, whole] = stagesOf(job);
    const id = newLaunch();
    const { kind, options } = job;
    const jobs = [{ kind, options } as JobStartInput];
    const common = { jobs, resources };
    const split = { of: parts.length, whole: `${id}.0` };
    const array = await this.#launch({ ...common, id: `${id}-parts`, tasks: parts, after, parts: split });
    try {
      await this.#launch({ ...common, id, tasks: whole, after: [array, ...after] });
    } catch (error) {
      await this.#options.cluster.cancel(array).catch(() => {});
      throw error;
    }
    return split.whole;
  }

  async #launch(given: {
    id: string;
    jobs: JobStartInput[];
    tasks: readonly PlannedTask[];
    resources: Resources;
    after: readonly (TaskId | ArrayId)[];
    parts?: { of: number; whole: string };
  }): Promise<ArrayId> {
    const { store, cluster, program, backend, sbatch } = this.#options;
    const { id, jobs, tasks, resources, after, parts } = given;
    const { folder } = launchPaths(store, id);
    const script = slurmScript({ id, folder, dataFolder: store.root, program, tasks, resources, options: sbatch, backend, after }); // prettier-ignore
    const path = await writeScript(store, id, script);
    const array = await cluster.submit(path).catch(async (error: unknown) => {
      await rm(folder, { recursive: true, force: true });
      throw error;
    });
    const createdAt = new Date().toISOString();
    const launch: Launch = { version: 1, id, createdAt, array, jobs, ...(parts && { parts }) };
    await writeLaunch(store, launch);
    this.#add(launch);
    return `${array}`;
  }

  /** With a job its parts are cancelled. */
  async cancel(id: string): Promise<Job> {
    const { status } = this.get(id);
    const task = this.#tasks.get(id);
    if (!task || (status !== 'queued' && status !== 'running')) throw notCancellable({ id, status });
    const parts = this.#splits.partsOf(id).flatMap((part) => this.#tasks.get(part.id) ?? []);
    // The whole is first, so that it doesn't begin when its parts have ended.
    for (const one of [task, ...parts].filter(({ job }) => job.finishedAt === null)) {
      await writeFile(launchPaths(this.#options.store, one.launch.id).cancelled(one.index), '');
      await this.#options.cluster.cancel(one.task);
    }
    this.#askedAt = -Infinity;
    return withoutDetail(this.#splits.shown(task.job));
  }

  watch(input: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]> {
    return this.#events.watch(
      input,
      () => this.list(),
      (id) => this.get(id),
      signal,
    );
  }

  /** Nodes of Slurm are not asked for. */
  workers(): Promise<null> {
    return Promise.resolve(null);
  }

  /** Slurm is asked when there is something to ask: a job that it refuses says so. */
  async ready(): Promise<void> {}

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
    const [first] = launch.jobs;
    const inputs = launch.parts ? Array.from({ length: launch.parts.of }, () => first) : launch.jobs;
    for (const [index, input] of inputs.entries()) {
      const job: JobDetail = {
        ...waitingJob(`${launch.id}.${index}`, input, launch.createdAt),
        where: 'slurm',
      };
      const task: TaskId = `${launch.array}_${index}`;
      this.#tasks.set(job.id, { job, launch, index, task, read: 0, rest: '', missingSince: undefined });
      if (launch.parts) this.#splits.add(job, { number: index + 1, of: launch.parts.of }, launch.parts.whole);
      this.#changed(job);
    }
  }

  /** The job that clients see of one: itself, or what it is a part of. Undefined for a part whose job isn't known yet. */
  #shown(job: JobDetail): JobDetail | undefined {
    const place = this.#splits.place(job.id);
    const whole = place ? this.#tasks.get(place.whole)?.job : job;
    return whole && this.#splits.shown(whole);
  }

  #changed(job: JobDetail): void {
    const shown = this.#shown(job);
    if (shown) this.#events.status(shown);
  }

  async #lookAt(task: Task): Promise<void> {
    const { job, launch, index } = task;
    const paths = launchPaths(this.#options.store, launch.id);
    const exited = existsSync(paths.exit(index));
    await this.#readLog(task, paths.log(index));
    await this.#readBegan(task);
    const state = this.#running.get(task.task);
    if (exited && state?.state !== 'PENDING') return this.#exited(task, Number(await readFile(paths.exit(index), 'utf8'))); // prettier-ignore
    if (state) {
      task.missingSince = undefined;
      const status = state.state === 'PENDING' || state.state === 'CONFIGURING' ? 'queued' : 'running';
      if (status === job.status) return;
      job.status = status;
      // What an earlier version handed in doesn't say when and where it began.
      if (status === 'running') {
        job.startedAt ??= new Date().toISOString();
        job.worker ??= `${state.node} (Slurm ${task.task})`;
        job.attempt ??= 1;
      }
      return this.#changed(job);
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
    // A process that hasn't come to listen for signals yet is ended by the one that asks it to stop.
    const stopped = exitCode === 130 || (exitCode > 128 && existsSync(paths.cancelled(index)));
    job.status = exitCode === 0 ? 'done' : stopped ? 'cancelled' : 'failed';
    if (exitCode === 0) {
      job.result = JSON.parse(await readFile(paths.output(index), 'utf8'));
      job.subject ??= jobSubject(job, job.result);
    }
    if (job.status === 'failed') job.error = whyEnded({ exitCode, signal: null }, job.log);
    this.#finish(job);
  }

  /** From the task itself: one that ends within seconds may be running at none of the moments at which squeue is asked. */
  async #readBegan({ job, launch, index, task }: Task): Promise<void> {
    const began = await readBegan(this.#options.store, launch.id, index);
    if (!began || began.attempt === job.attempt) return;
    job.attempt = began.attempt;
    job.startedAt ??= began.at;
    job.worker = `${began.node} (Slurm ${task})`;
    this.#changed(job);
  }

  #finish(job: JobDetail): void {
    job.finishedAt = new Date().toISOString();
    this.#changed(job);
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
        const stage = this.#shown(job)?.progress?.stage;
        job.progress = progress;
        const shown = this.#shown(job);
        if (shown) this.#events.progress(shown, stage);
      },
      line: (line) => {
        keep(job, line);
        const place = this.#splits.place(job.id);
        const whole = place && this.#tasks.get(place.whole)?.job;
        const text = place ? `${printPart(place.part)}: ${line}` : line;
        if (whole) keep(whole, text);
        const shown = this.#shown(job);
        if (shown) this.#events.line(shown, text);
      },
    });
  }
}

function keep({ log }: JobDetail, line: string): void {
  log.push(line);
  if (log.length > keptLines) log.shift();
}

function newLaunch(): string {
  return `${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 17)}-${randomBytes(3).toString('hex')}`;
}
