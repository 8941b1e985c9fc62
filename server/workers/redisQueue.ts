/**
 * The queue of jobs that workers run. The truth is in Redis; this process keeps a copy, which BullMQ's events bring up to date at once
 * and a look at every unfinished job brings up to date every few seconds, so that nothing is missed while Redis was gone.
 */
import { randomBytes } from 'node:crypto';
import { QueueEvents, type Job as BullJob } from 'bullmq';
import { LazyscopeError } from '../../sae/errors.ts';
import { printPart } from '../../sae/spec/part.ts';
import type {
  Job,
  JobDetail,
  JobEvent,
  JobStartInput,
  JobWatchInput,
  JobWorker,
  WorkerJob,
} from '../contract/jobs.ts';
import { JobEvents, withoutDetail } from '../jobs/jobEvents.ts';
import { keptLines } from '../jobs/jobQueue.ts';
import { jobSubject } from '../jobs/jobSubject.ts';
import { interferes } from '../jobs/machineShare.ts';
import { notCancellable, type Queue } from '../jobs/queue.ts';
import { SplitJobs } from '../jobs/splitJob.ts';
import { stagesOf } from '../jobs/tasks.ts';
import { waitingJob } from '../jobs/waitingJob.ts';
import type { Log } from '../log.ts';
import { isGone, type Broker } from './broker.ts';
import { readQueuedJob, readQueuedState, type QueuedJob, type QueuedState } from './queuedJob.ts';
import { classOf, resourcesOf, resourcesOfClass, type Resources } from './resources.ts';

/** How a job is put into the queue. */
export interface StartOptions {
  /** From 1 (first) to 1,000 (last), among jobs with the same needs. */
  priority?: number | undefined;
  resources?: Resources | undefined;
}

interface Known {
  job: JobDetail;
  className: string;
  /** Lines of its commands that are in its log or were. */
  logged: number;
}

/** Jobs that BullMQ keeps after their end. */
const keptJobs = { count: 500 };
/** Milliseconds between two looks at every unfinished job. */
const lookEvery = 3_000;
export const usualPriority = 100;

export class RedisQueue implements Queue {
  readonly where = 'workers';
  readonly #broker: Broker;
  readonly #past: Queue | undefined;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  readonly #listening = new Map<string, QueueEvents>();
  readonly #events = new JobEvents();
  readonly #splits = new SplitJobs();
  /** The look at a job before, for which the next one waits. */
  readonly #looks = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  private constructor(broker: Broker, log: Log, past?: Queue) {
    this.#broker = broker;
    this.#log = log;
    this.#past = past;
  }

  /** `past` has the jobs of servers without workers, which are listed behind those of this queue. */
  static async open(broker: Broker, log: Log, past?: Queue): Promise<RedisQueue> {
    const queue = new RedisQueue(broker, log, past);
    await broker.answered(() => queue.#look());
    queue.#lookLater();
    return queue;
  }

  list(): Job[] {
    const own = [...this.#known.values()]
      .filter(({ job }) => !this.#splits.place(job.id))
      .map(({ job }) => withoutDetail(this.#splits.shown(job)));
    own.sort((a, b) => (b.createdAt === a.createdAt ? (b.id < a.id ? -1 : 1) : b.createdAt < a.createdAt ? -1 : 1)); // prettier-ignore
    return [...own, ...(this.#past?.list() ?? [])];
  }

  get(id: string): JobDetail {
    const known = this.#known.get(id);
    if (known) return { ...this.#splits.shown(known.job) };
    if (this.#past) return this.#past.get(id);
    throw new LazyscopeError('not_found', `There is no job '${id}': see the list of jobs.`);
  }

  async start(input: JobStartInput, { priority, resources }: StartOptions = {}): Promise<Job> {
    if (this.#closing)
      throw new LazyscopeError('unavailable', 'The server is shutting down: start the job when it is back.');
    const createdAt = new Date().toISOString();
    const id = `${createdAt.replaceAll(/\D/g, '').slice(0, 17)}-${randomBytes(4).toString('hex')}`;
    const stages = stagesOf(input);
    const { kind, options } = input;
    const own = { kind, options } as JobStartInput;
    const job = waitingJob(id, own, createdAt);
    const className = classOf(resources ?? resourcesOf(job));
    const after = [...this.#known.values()]
      .filter((other) => other.job.finishedAt === null && interferes(job, other.job))
      .map((other) => ({ id: other.job.id, className: other.className }));
    const parts = stages.slice(0, -1).flatMap(
      (tasks) =>
      tasks.flatMap(({ part }) => (part ? [{ id: `${id}-p${part.number}`, part: { ...part, whole: id } }] : [])), // prettier-ignore
    );
    const queued: { id: string; data: QueuedJob }[] = [
      ...parts.map(({ id: partId, part }) => ({ id: partId, data: { version: 1 as const, input: own, createdAt, after, part } })), // prettier-ignore
      {
        id,
        data: {
          version: 1,
          input: own,
          createdAt,
          after: [...parts.map((part) => ({ id: part.id, className })), ...after],
        },
      },
    ];
    await this.#broker.answered(() => this.#broker.announce(className));
    // All of them at once: a job must not be there without its parts, nor these without it.
    await this.#broker.answered(() =>
      this.#broker.queue(className).addBulk(
        queued.map((one) => ({
          name: kind,
          data: one.data,
          opts: {
            jobId: one.id,
            priority: priority ?? usualPriority,
            attempts: 1,
            keepLogs: keptLines,
            removeOnComplete: keptJobs,
            removeOnFail: keptJobs,
          },
        })),
      ),
    );
    for (const { id: newId, data } of queued)
      if (!this.#known.has(newId))
        this.#add({ job: { ...waitingJob(newId, own, createdAt), where: 'workers' }, className, logged: 0 }, data.part); // prettier-ignore
    await this.#listen(className);
    return withoutDetail(this.get(id));
  }

  /** A worker hears of it within about a second. With a job its parts are cancelled. */
  async cancel(id: string): Promise<Job> {
    const { status } = this.get(id);
    const known = this.#known.get(id);
    if (!known || (status !== 'queued' && status !== 'running')) throw notCancellable({ id, status });
    const parts = this.#splits.partsOf(id).flatMap((part) => this.#known.get(part.id) ?? []);
    const unfinished = [known, ...parts].filter(({ job }) => job.finishedAt === null);
    for (const one of unfinished) await this.#broker.answered(() => this.#broker.askToCancel(one.job.id));
    for (const one of unfinished) if (one.job.status === 'queued') this.#cancelledWaiting(one);
    return withoutDetail(this.#splits.shown(known.job));
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

  async workers(): Promise<JobWorker[]> {
    const records = await this.#broker.answered(() => this.#broker.workers());
    return records
      .map((record) => ({
        name: record.name,
        host: record.name.split('/')[0],
        since: record.since,
        heardAt: new Date(record.heardAt).toISOString(),
        gone: isGone(record),
        concurrency: record.concurrency,
        threads: record.threads ?? null,
        gpu: record.gpu,
        memory: record.memory,
        jobs: record.jobs.map((id) => this.#doneBy(id)),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #doneBy(id: string): WorkerJob {
    const known = this.#known.get(id);
    const place = this.#splits.place(id);
    const shown = known && this.#shown(known.job);
    return { id, job: shown ? withoutDetail(shown) : null, part: place ? printPart(place.part) : null };
  }

  ready(): Promise<void> {
    return this.#broker.ping();
  }

  /** Jobs go on without this process. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    const closed = Promise.allSettled([...this.#listening.values()].map((events) => events.close()));
    await this.#broker.answered(() => closed).catch(() => {});
    await this.#past?.close();
    await this.#broker.close();
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#look()
        .catch((error: unknown) => {
          if (!this.#closing) this.#log('The queue in Redis could not be read.', error);
        })
        .finally(() => {
          if (!this.#closing) this.#lookLater();
        });
    }, lookEvery);
  }

  /** Reads every class that is new, and every job that has not ended. */
  async #look(): Promise<void> {
    for (const className of await this.#broker.classes())
      if (resourcesOfClass(className)) await this.#listen(className);
    const cancelled = await this.#broker.cancelled();
    for (const known of this.#known.values()) {
      if (known.job.finishedAt !== null) continue;
      await this.#refresh(known.className, known.job.id);
      if (cancelled.has(known.job.id) && known.job.status === 'queued') this.#cancelledWaiting(known);
    }
  }

  /** Hears of a class from now on, and reads the jobs that it has. */
  async #listen(className: string): Promise<void> {
    if (this.#listening.has(className) || this.#closing) return;
    const events = new QueueEvents(className, {
      ...this.#broker.options,
      lastEventId: await this.#broker.lastEvent(className),
    });
    if (this.#listening.has(className)) return events.close();
    this.#listening.set(className, events);
    this.#broker.listen(events);
    const look = ({ jobId }: { jobId: string }) => {
      this.#refresh(className, jobId).catch((error: unknown) => {
        if (!this.#closing) this.#log(`Job '${jobId}' could not be read from Redis.`, error);
      });
    };
    for (const event of ['waiting', 'delayed', 'completed', 'failed'] as const) events.on(event, look);
    events.on('progress', ({ jobId, data }) => {
      const known = this.#known.get(jobId);
      const state = readQueuedState(data);
      if (known && state) this.#told(known, state);
      if (known?.job.status !== 'running' || state?.attempt !== known.job.attempt) look({ jobId });
    });
    const jobs = await this.#broker.queue(className).getJobs(['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed']); // prettier-ignore
    for (const { id } of jobs) if (id !== undefined) await this.#refresh(className, id);
  }

  /** Looks at one job are made one after the other, so that an older one never overwrites a newer one. */
  #refresh(className: string, id: string): Promise<void> {
    const before = this.#looks.get(id) ?? Promise.resolve();
    const look = before.catch(() => {}).then(() => this.#readJob(className, id));
    this.#looks.set(id, look);
    const forget = () => {
      if (this.#looks.get(id) === look) this.#looks.delete(id);
    };
    look.then(forget, forget);
    return look;
  }

  async #readJob(className: string, id: string): Promise<void> {
    const known = this.#known.get(id);
    if (this.#closing || (known && known.job.finishedAt !== null && known.job.status !== 'cancelled')) return;
    const queue = this.#broker.queue(className);
    const bull = await queue.getJob(id);
    if (!bull) {
      if (known && known.job.finishedAt === null) this.#forgotten(known);
      return;
    }
    const state = await bull.getState();
    const log = known ? known.job.log : (await queue.getJobLogs(id)).logs;
    const job = detailOf(bull, state, log);
    if (!job) return;
    if (!known)
      return this.#add(
        { job, className, logged: readQueuedState(bull.progress)?.logged ?? 0 },
        readQueuedJob(bull.data)?.part,
      );
    if (known.job.status === 'cancelled') return;
    const changed = known.job.status !== job.status || known.job.attempt !== job.attempt;
    Object.assign(known.job, job);
    if (changed) this.#changed(known.job);
  }

  #add(known: Known, part: QueuedJob['part']): void {
    this.#known.set(known.job.id, known);
    if (part) this.#splits.add(known.job, part, part.whole);
    this.#changed(known.job);
  }

  /** The job that clients see of one: itself, or what it is a part of. Undefined for a part whose job isn't known yet. */
  #shown(job: JobDetail): JobDetail | undefined {
    const place = this.#splits.place(job.id);
    const whole = place ? this.#known.get(place.whole)?.job : job;
    return whole && this.#splits.shown(whole);
  }

  #changed(job: JobDetail): void {
    const shown = this.#shown(job);
    if (shown) this.#events.status(shown);
  }

  #told(known: Known, state: QueuedState): void {
    const { job } = known;
    if (job.finishedAt !== null) return;
    const unheard = Math.max(0, state.logged - known.logged);
    known.logged = Math.max(known.logged, state.logged);
    for (const line of unheard > 0 ? state.lines.slice(-unheard) : []) this.#said(job, line);
    const stage = this.#shown(job)?.progress?.stage;
    if (!state.progress) return;
    job.progress = state.progress;
    const shown = this.#shown(job);
    if (shown) this.#events.progress(shown, stage);
  }

  /** A line of a part is among those of its job. */
  #said(job: JobDetail, line: string): void {
    const keep = ({ log }: JobDetail, text: string) => {
      log.push(text);
      if (log.length > keptLines) log.shift();
    };
    keep(job, line);
    const place = this.#splits.place(job.id);
    const whole = place && this.#known.get(place.whole)?.job;
    const text = place ? `${printPart(place.part)}: ${line}` : line;
    if (whole) keep(whole, text);
    const shown = this.#shown(job);
    if (shown) this.#events.line(shown, text);
  }

  #cancelledWaiting({ job }: Known): void {
    job.status = 'cancelled';
    job.finishedAt = new Date().toISOString();
    this.#changed(job);
  }

  /** Redis has forgotten the job, which it does where it keeps nothing on the disk. */
  #forgotten({ job }: Known): void {
    job.status = 'lost';
    job.finishedAt = new Date().toISOString();
    job.error = `Redis at ${this.#broker.shown} has forgotten this job: run it with 'appendonly yes', and start the job again.`;
    this.#changed(job);
  }
}

/** The job as clients see it; undefined where it holds none that this version knows. */
function detailOf(bull: BullJob, state: string, log: string[]): JobDetail | undefined {
  const queued = readQueuedJob(bull.data);
  if (!queued || bull.id === undefined) return undefined;
  const waiting = waitingJob(bull.id, queued.input, queued.createdAt);
  const said = readQueuedState(bull.progress);
  const worker = said?.worker ?? null;
  const begun: JobDetail = {
    ...waiting,
    where: 'workers',
    log,
    ...(said && { attempt: said.attempt, startedAt: said.startedAt, progress: said.progress }),
    ...(worker !== null && { worker }),
  };
  const finishedAt = bull.finishedOn === undefined ? null : new Date(bull.finishedOn).toISOString();
  if (state === 'completed') {
    const subject = begun.subject ?? jobSubject(queued.input, bull.returnvalue);
    return { ...begun, status: 'done', exitCode: 0, result: bull.returnvalue, subject, finishedAt };
  }
  if (state === 'failed')
    return {
      ...begun,
      ...(queued.ending ?? { status: 'failed', exitCode: null, error: bull.failedReason }),
      finishedAt,
    };
  return state === 'active' && worker !== null ? { ...begun, status: 'running' } : begun;
}
