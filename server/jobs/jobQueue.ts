/**
 * Jobs wait in one queue, each a child process of the command line. They run one at a time, since training fills every core, unless
 * two of them fit beside each other (machineShare.ts). Subscribers receive their changes as numbered events, so that a client that lost
 * its connection can continue after the last event it received.
 */
import { EventEmitter, once } from 'node:events';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Progress } from '../../sae/progress.ts';
import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput } from '../contract/jobs.ts';
import type { Database } from '../database.ts';
import type { Log } from '../log.ts';
import { commandArguments, commandLine } from './commandArguments.ts';
import { checkpointPatience } from './commands.ts';
import type { Commands, Running } from './commands.ts';
import { JobLog } from './jobLog.ts';
import { jobSubject } from './jobSubject.ts';
import { fitsBeside, type Machine } from './machineShare.ts';
import { endProcess, isRunning } from './orphans.ts';
import { whyEnded } from './whyEnded.ts';

export interface JobQueueOptions {
  commands: Commands;
  database: Database;
  log: Log;
  machine: Machine;
  /** Milliseconds that a stopped job of a kind that has checkpoints is given to write one; other kinds have at most a second. */
  patience?: number | undefined;
}

interface NumberedEvent {
  number: number;
  event: JobEvent;
}

/** Number of events kept for clients that reconnect. */
const keptEvents = 2_000;
/** Milliseconds between two events of a job's progress, for each watcher. */
const millisecondsAWatcher = 2;
/** Number of lines of a command's output kept. */
const keptLines = 500;

export class JobQueue {
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
  /** When each running job's progress was last sent. */
  readonly #lastProgress = new Map<string, number>();
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #events: NumberedEvent[] = [];
  /** Prefix of event ids, which distinguishes them from those of an earlier server. */
  readonly #epoch = Date.now().toString(36);
  #number = 0;
  #watchers = 0;
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
    const createdAt = new Date().toISOString();
    const args = commandArguments(input);
    const job: JobDetail = {
      id: `${createdAt.replaceAll(/\D/g, '').slice(0, 17)}-${(this.#jobs.size + 1).toString(36)}`,
      ...input,
      subject: jobSubject(input, null),
      command: commandLine(args),
      status: 'queued',
      createdAt,
      startedAt: null,
      finishedAt: null,
      exitCode: null,
      progress: null,
      error: null,
      log: [],
      result: null,
    };
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
    } else
      throw new LazyscopeError(
        'conflict',
        `Job '${id}' is ${job.status}: only a waiting or running one can be cancelled.`,
      );
    return withoutDetail(job);
  }

  /**
   * Yields [event id, event]: first the events since `lastEventId`, or without it a snapshot of the jobs, then new events. With
   * `id`, ends when that job has. Nothing is kept for a watcher but its place among the latest events; one that takes none for so long
   * that its place is gone gets a snapshot again.
   */
  async *watch({ id, lastEventId }: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]> {
    if (id !== undefined) this.#job(id);
    const concerns = ({ event }: NumberedEvent) => id === undefined || event.job.id === id;
    const named = ({ number, event }: NumberedEvent): [string, JobEvent] => [
      `${this.#epoch}.${number}`,
      event,
    ];
    const hasEnded = () => id !== undefined && this.#job(id).finishedAt !== null;
    let seen = this.#number;
    const snapshot = () =>
      this.list()
        .map((job) => ({ number: seen, event: { type: 'snapshot' as const, job } }))
        .filter(concerns)
        .reverse()
        .map(named);
    const missed = this.#missedSince(lastEventId);
    // This is determined before yielding: a job that ends while the snapshot is read still has its last event to come.
    const over = hasEnded();
    this.#watchers++;
    try {
      yield* missed ? missed.filter(concerns).map(named) : snapshot();
      if (over) return;
      for (;;) {
        if (signal?.aborted) return;
        if (seen === this.#number) {
          await once(this.#emitter, 'event', { signal });
          continue;
        }
        const numbered = this.#events.at(seen - this.#number);
        if (numbered?.number !== seen + 1) {
          seen = this.#number;
          const ended = hasEnded();
          yield* snapshot();
          if (ended) return;
          continue;
        }
        seen = numbered.number;
        if (!concerns(numbered)) continue;
        yield named(numbered);
        if (id !== undefined && numbered.event.job.finishedAt !== null) return;
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    } finally {
      // Also where the reader left before the first new event.
      this.#watchers--;
    }
  }

  /** Subscriptions that are open. */
  get watchers(): number {
    return this.#watchers;
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

  #missedSince(lastEventId: string | null | undefined): NumberedEvent[] | undefined {
    const [epoch, number] = lastEventId?.split('.') ?? [];
    const last = Number(number);
    const oldest = this.#events[0]?.number ?? 1;
    if (epoch !== this.#epoch || !Number.isInteger(last) || last + 1 < oldest) return undefined;
    return this.#events.filter((event) => event.number > last);
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
      this.#lastProgress.delete(job.id);
      await this.#ended(job).finally(() => this.#running.delete(job.id));
      this.#startNext();
    }
  }

  #progressed(job: JobDetail, progress: Progress): void {
    const { stage } = job.progress ?? {};
    job.progress = progress;
    // Each event is sent to every watcher: hundreds of them hear of progress less often, which leaves the machine to the job.
    const now = performance.now();
    const since = now - (this.#lastProgress.get(job.id) ?? -Infinity);
    if (stage === progress.stage && since < this.watchers * millisecondsAWatcher) return;
    this.#lastProgress.set(job.id, now);
    this.#emit({ type: 'progress', job: withoutDetail(job) });
  }

  #said(job: JobDetail, line: string): void {
    job.log.push(line);
    if (job.log.length > keptLines) job.log.shift();
    this.#emit({ type: 'log', job: withoutDetail(job), line });
  }

  /** Writes the job's record before emitting the event, so that a client that receives a status finds it in the log. */
  async #changed(job: JobDetail): Promise<void> {
    await this.#records.write(job);
    this.#emit({ type: 'status', job: withoutDetail(job) });
  }

  async #ended(job: JobDetail): Promise<void> {
    await this.#changed(job);
    await this.#records.forgetProcess(job.id);
  }

  #emit(event: JobEvent): void {
    const numbered = { number: ++this.#number, event };
    this.#events.push(numbered);
    if (this.#events.length > keptEvents) this.#events.shift();
    this.#emitter.emit('event', numbered);
  }
}

function whyNotRun(error: unknown): string {
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

function withoutDetail({ log: _log, result: _result, ...job }: JobDetail): Job {
  return job;
}
