/**
 * Jobs wait in one queue, each a child process of the command line. They run one at a time, since training fills every core, unless
 * two of them fit beside each other (machineShare.ts).
 */
import { LazyscopeError } from '../../sae/errors.ts';
import type { Progress } from '../../sae/progress.ts';
import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput } from '../contract/jobs.ts';
import type { Database } from '../database.ts';
import type { Log } from '../log.ts';
import { commandArguments } from './commandArguments.ts';
import { checkpointPatience } from './commands.ts';
import type { Commands, Running } from './commands.ts';
import { JobEvents, withoutDetail } from './jobEvents.ts';
import { JobLog } from './jobLog.ts';
import { jobSubject } from './jobSubject.ts';
import { fitsBeside, type Machine } from './machineShare.ts';
import { endProcess, isRunning } from './orphans.ts';
import { notCancellable, notSplit, type Queue } from './queue.ts';
import { waitingJob } from './waitingJob.ts';
import { whyEnded } from './whyEnded.ts';

export interface JobQueueOptions {
  commands: Commands;
  database: Database;
  log: Log;
  machine: Machine;
  /** Milliseconds that a stopped job of a kind that has checkpoints is given to write one; other kinds have at most a second. */
  patience?: number | undefined;
}

/** Number of lines of a command's output kept. */
export const keptLines = 500;

export class JobQueue implements Queue {
  readonly where = 'here';
  readonly #commands: Commands;
  readonly #records: JobLog;
  readonly #log: Log;
  readonly #jobs = new Map<string, JobDetail>();
  #waiting: { job: JobDetail; args: string[] }[] = [];
  readonly #running = new Map<string, Running>();
  readonly #machine: Machine;
  readonly #patience: number;
  /** Processes that outlived an earlier server and have not ended yet. No job starts beside them. */
  #orphans = 0;
  /** Jobs that somebody asked to stop. */
  readonly #stopped = new Set<string>();
  readonly #events = new JobEvents();
  #closing = false;

  private constructor({ commands, machine, log, patience }: JobQueueOptions, records: JobLog) {
    this.#commands = commands;
    this.#records = records;
    this.#log = log;
    this.#machine = machine;
    this.#patience = patience ?? checkpointPatience;
  }

  /**
   * Jobs that an earlier server left queued or running are marked as lost. A process of theirs that still runs is stopped as by
   * cancelling, since nobody hears what it says; new jobs wait for its end.
   */
  static async open(options: JobQueueOptions): Promise<JobQueue> {
    const records = new JobLog(options.database);
    const queue = new JobQueue(options, records);
    const processes = await records.processes();
    for (const job of (await records.read()).reverse()) {
      queue.#jobs.set(job.id, job);
      const pid = processes.get(job.id);
      const alone = pid !== undefined && (await isRunning(pid, commandArguments(job)));
      if (job.status === 'queued' || job.status === 'running')
        await queue.#lost(job, alone ? pid : undefined);
      if (alone) queue.#endOrphan(job, pid);
      else if (pid !== undefined) await records.forgetProcess(job.id);
    }
    return queue;
  }

  async #lost(job: JobDetail, pid: number | undefined): Promise<void> {
    const was = job.status === 'queued' ? 'waiting' : 'running';
    const alone = pid === undefined ? '' : `, and its process ${pid}, which had gone on alone, was stopped`;
    job.error = `The server stopped while this job was ${was}${alone}: start it again${startingAgain(job)}.`;
    job.status = 'lost';
    job.finishedAt = new Date().toISOString();
    await this.#records.write(job);
  }

  #endOrphan(job: JobDetail, pid: number): void {
    this.#log(`Job '${job.id}': process ${pid} has outlived its server and is stopped.`);
    this.#orphans++;
    endProcess(pid, commandArguments(job), this.#patienceWith(job))
      .then(() => this.#records.forgetProcess(job.id))
      .catch((error: unknown) => this.#log(`Process ${pid} could not be stopped.`, error))
      .finally(() => {
        this.#orphans--;
        this.#startNext();
      });
  }

  /** Newest first. */
  list(): Job[] {
    return [...this.#jobs.values()].reverse().map(withoutDetail);
  }

  get(id: string): JobDetail {
    return { ...this.#job(id) };
  }

  async start(input: JobStartInput): Promise<Job> {
    if (this.#closing)
      throw new LazyscopeError('unavailable', 'The server is shutting down: start the job when it is back.');
    if (input.parts !== undefined) throw notSplit();
    const createdAt = new Date().toISOString();
    const args = commandArguments(input);
    const id = `${createdAt.replaceAll(/\D/g, '').slice(0, 17)}-${(this.#jobs.size + 1).toString(36)}`;
    const job = waitingJob(id, input, createdAt);
    this.#jobs.set(job.id, job);
    this.#waiting.push({ job, args });
    await this.#changed(job);
    this.#startNext();
    return withoutDetail(job);
  }

  /** A running job is asked to stop and keeps what it has; the job is `cancelled` once its process has ended. */
  async cancel(id: string): Promise<Job> {
    const job = this.#job(id);
    const running = this.#running.get(id);
    if (running) this.#stop(job, running);
    else if (job.status === 'queued') {
      this.#waiting = this.#waiting.filter((waiting) => waiting.job !== job);
      job.status = 'cancelled';
      job.finishedAt = new Date().toISOString();
      await this.#changed(job);
    } else throw notCancellable(job);
    return withoutDetail(job);
  }

  watch(input: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]> {
    return this.#events.watch(
      input,
      () => this.list(),
      (id) => this.#job(id),
      signal,
    );
  }

  /** Jobs run on this machine. */
  workers(): Promise<null> {
    return Promise.resolve(null);
  }

  async ready(): Promise<void> {}

  get watchers(): number {
    return this.#events.watchers;
  }

  /** Waiting jobs are cancelled, running ones stopped and waited for. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { job } of this.#waiting.slice()) await this.cancel(job.id);
    for (const [id, running] of this.#running) {
      const job = this.#job(id);
      job.error = `The server was shut down while this job was running: start it again${startingAgain(job)}.`;
      this.#stop(job, running);
    }
    await Promise.allSettled([...this.#running.values()].map((running) => running.finished));
    // The record of the last job is written after its process has ended, and must be waited for.
    while (this.#running.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #job(id: string): JobDetail {
    const job = this.#jobs.get(id);
    if (!job) throw new LazyscopeError('not_found', `There is no job '${id}': see the list of jobs.`);
    return job;
  }

  #startNext(): void {
    while (!this.#closing && this.#orphans === 0 && this.#waiting.length > 0) {
      const running = [...this.#jobs.values()].filter((job) => job.status === 'running');
      const [{ job, args }] = this.#waiting;
      if (!fitsBeside(job, running, this.#machine)) return;
      this.#waiting.shift();
      this.#run(job, args).catch((error: unknown) =>
        this.#log(`Job '${job.id}' could not be followed.`, error),
      );
    }
  }

  #stop(job: JobDetail, running: Running): void {
    this.#stopped.add(job.id);
    running.stop(this.#patienceWith(job));
  }

  /** What has no checkpoint loses nothing when it is killed: files appear whole or not at all. */
  #patienceWith({ kind }: JobDetail): number {
    return describedJob(kind).checkpoints ? this.#patience : Math.min(this.#patience, 1_000);
  }

  async #run(job: JobDetail, args: string[]): Promise<void> {
    job.status = 'running';
    job.startedAt = new Date().toISOString();
    try {
      // Throws where the system can't start a process with these arguments.
      const running = this.#commands.run(args, {
        progress: (progress) => this.#progressed(job, progress),
        line: (line) => this.#said(job, line),
      });
      this.#running.set(job.id, running);
      if (running.pid !== undefined) await this.#records.writeProcess(job.id, running.pid);
      await this.#changed(job);
      const { exitCode, signal, output } = await running.finished;
      job.exitCode = exitCode;
      const cancelled = exitCode === 130 || (signal !== null && this.#stopped.has(job.id));
      job.status = exitCode === 0 ? 'done' : cancelled ? 'cancelled' : 'failed';
      if (job.status === 'done') job.error = null;
      if (exitCode === 0) {
        job.result = JSON.parse(output);
        job.subject ??= jobSubject(job, job.result);
      }
      if (job.status === 'failed') job.error = whyEnded({ exitCode, signal }, job.log);
      if (job.status === 'cancelled' && signal === 'SIGKILL')
        job.error ??=
          'It did not stop when it was asked to and was killed; what it had written before is kept.';
    } catch (error) {
      job.status = 'failed';
      job.error = whyNotRun(error);
      this.#log(`Job '${job.id}' (${job.command}) failed.`, error);
    } finally {
      job.finishedAt = new Date().toISOString();
      this.#stopped.delete(job.id);
      await this.#ended(job).finally(() => this.#running.delete(job.id));
      this.#startNext();
    }
  }

  #progressed(job: JobDetail, progress: Progress): void {
    const stage = job.progress?.stage;
    job.progress = progress;
    this.#events.progress(job, stage);
  }

  #said(job: JobDetail, line: string): void {
    job.log.push(line);
    if (job.log.length > keptLines) job.log.shift();
    this.#events.line(job, line);
  }

  /** Writes the job's record before emitting the event, so that a client that receives a status finds it in the log. */
  async #changed(job: JobDetail): Promise<void> {
    await this.#records.write(job);
    this.#events.status(job);
  }

  async #ended(job: JobDetail): Promise<void> {
    await this.#changed(job);
    await this.#records.forgetProcess(job.id);
  }
}

/** Why a command could not be run. */
export function whyNotRun(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'E2BIG':
      return 'The job names too much for one command line: give fewer hooks, files or seeds.';
    case 'ERR_INVALID_ARG_VALUE':
      return 'An option of the job holds a NUL character, which no command can be given.';
    case 'EAGAIN':
    case 'ENOMEM':
      return 'The machine could not start another process: wait until it has memory and processes to spare, then start the job again.';
    default:
      return "The command did not run or did not answer as it should; the server's log says why.";
  }
}

/** What makes the same job lose less when it is started again. */
function startingAgain({ kind }: JobDetail): string {
  return kind === 'train' ? ', going on from the last checkpoint (--resume)' : '';
}
