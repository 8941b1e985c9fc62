/**
 * Jobs that this process has taken from Redis. A lease lasts some seconds and is renewed while the process lives; one that isn't
 * gives the job to the next worker. A lease that could not be renewed for two thirds of its time is given up here before another
 * worker may have it, so that no two of them do the same job.
 */
import { randomBytes } from 'node:crypto';
import { Worker, type Job as BullJob } from 'bullmq';
import type { Progress } from '../../sae/progress.ts';
import type { Part } from '../../sae/spec/part.ts';
import type { JobStartInput } from '../contract/jobs.ts';
import type { Log } from '../log.ts';
import type { Broker, WorkerRecord } from './broker.ts';
import {
  readQueuedJob,
  readQueuedState,
  type QueuedEnding,
  type QueuedJob,
  type QueuedState,
} from './queuedJob.ts';
import { fits, resourcesOfClass, type Resources } from './resources.ts';

/** A job that this process alone may run, as long as `lost` has not fired. */
export interface Lease {
  readonly id: string;
  readonly input: JobStartInput;
  /** Which part of the job, where it is one. */
  readonly part: Part | undefined;
  readonly needs: Resources;
  /** From 1 on: how often the job was begun, this time included. */
  readonly attempt: number;
  readonly crashes: number;
  readonly conflicts: number;
  /** Fires when somebody wants the job to stop. */
  readonly cancelled: AbortSignal;
  /** Fires when the lease is over: the job's process must end at once. */
  readonly lost: AbortSignal;
  progress(progress: Progress): void;
  line(line: string): void;
  done(result: unknown): Promise<void>;
  ended(ending: QueuedEnding): Promise<void>;
  /** Back into the queue, for the next worker, which begins after so many milliseconds at the earliest. */
  giveBack(why: { after: number; crashed?: boolean; conflict?: boolean }): Promise<void>;
  /** Says that the process of a lost job has ended, so that there is room for another one. */
  forget(): void;
}

interface Held {
  bull: BullJob;
  token: string;
  state: QueuedState;
  needs: Resources;
  renewedAt: number;
  cancelled: AbortController;
  lost: AbortController;
  /** Resolves when `lost` fires. */
  over: Promise<void>;
  /** Lines that Redis has not been told yet. */
  unsaid: string[];
  changed: boolean;
  saying: Promise<unknown>;
}

/** Milliseconds between two heartbeats; jobs are renewed and cancelled, and their progress is told, with one of them. */
const beatEvery = 1_000;
const tellEvery = 250;
/** Milliseconds after which a job is looked at again that waits for another one. */
const waitFor = 1_000;
/** How often a job may have been given back by a worker that died before it counts as the cause. */
const mostDeaths = 100;

export class Leases {
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #milliseconds: number;
  readonly #record: Omit<WorkerRecord, 'heardAt' | 'jobs'>;
  readonly #workers = new Map<string, Worker>();
  readonly #held = new Map<string, Held>();
  readonly #timers: NodeJS.Timeout[] = [];
  #beating = false;

  constructor(
    broker: Broker,
    { seconds, record, log }: { seconds: number; record: Omit<WorkerRecord, 'heardAt' | 'jobs'>; log: Log },
  ) {
    this.#broker = broker;
    this.#log = log;
    this.#milliseconds = 1_000 * seconds;
    this.#record = record;
    const every = Math.min(beatEvery, this.#milliseconds / 5);
    this.#timers.push(
      setInterval(() => this.#beat(), every),
      setInterval(() => this.#tell(), tellEvery),
    );
    this.#beat();
  }

  /** What the jobs that are held need. */
  get needs(): Resources[] {
    return [...this.#held.values()].map(({ needs }) => needs);
  }

  /** The first job that fits and waits for no other one; those that need most are looked at first. */
  async take(free: Resources): Promise<Lease | undefined> {
    const classes = (await this.#broker.classes())
      .map((className) => ({ className, needs: resourcesOfClass(className) }))
      .filter((one): one is { className: string; needs: Resources } => one.needs !== undefined)
      .filter(({ needs }) => fits(needs, free))
      .sort((a, b) => b.needs.gpu - a.needs.gpu || b.needs.memory - a.needs.memory);
    for (const { className, needs } of classes) {
      const worker = await this.#worker(className);
      for (;;) {
        const token = randomBytes(8).toString('hex');
        const bull: BullJob | undefined = await worker.getNextJob(token, { block: false });
        if (!bull) break;
        const lease = await this.#begin(bull, token, needs);
        if (lease) return lease;
      }
    }
    return undefined;
  }

  /** Ends the heartbeats. Leases that are still held run out. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#broker.answered(() => this.#broker.leave(this.#record.name)).catch(() => {});
    const closed = Promise.allSettled([...this.#workers.values()].map((worker) => worker.close(true)));
    await this.#broker.answered(() => closed).catch(() => {});
  }

  async #worker(className: string): Promise<Worker> {
    const existing = this.#workers.get(className);
    if (existing) return existing;
    const worker = new Worker(className, null, {
      ...this.#broker.options,
      autorun: false,
      lockDuration: this.#milliseconds,
      stalledInterval: this.#milliseconds / 2,
      maxStalledCount: mostDeaths,
      skipLockRenewal: true,
    });
    this.#broker.listen(worker);
    worker.on('stalled', (id) =>
      this.#log(`Job '${id}' was left by a worker that is gone, and waits again.`),
    );
    this.#workers.set(className, worker);
    await worker.startStalledCheckTimer();
    return worker;
  }

  /** Undefined where there is nothing to run: the job is none, was cancelled, or waits for another one. */
  async #begin(bull: BullJob, token: string, needs: Resources): Promise<Lease | undefined> {
    const queued = readQueuedJob(bull.data);
    const id = String(bull.id);
    if (!queued) {
      this.#log(`Job '${id}' is refused: what lies in Redis is no job of this version.`);
      await bull.moveToFailed(new Error('The worker refused this job: it is none that can be started through the API of its version.'), token); // prettier-ignore
      return undefined;
    }
    const before = readQueuedState(bull.progress);
    const state: QueuedState = {
      attempt: (before?.attempt ?? 0) + 1,
      crashes: before?.crashes ?? 0,
      conflicts: before?.conflicts ?? 0,
      worker: this.#record.name,
      startedAt: before?.startedAt ?? new Date().toISOString(),
      progress: before?.progress ?? null,
      logged: before?.logged ?? 0,
      lines: [],
    };
    const lost = new AbortController();
    const held: Held = {
      bull,
      token,
      state,
      needs,
      renewedAt: performance.now(),
      cancelled: new AbortController(),
      lost,
      over: new Promise((resolve) => lost.signal.addEventListener('abort', () => resolve())),
      unsaid: [],
      changed: false,
      saying: Promise.resolve(),
    };
    if ((await this.#broker.cancelled()).has(id)) {
      await this.#end(held, queued, { status: 'cancelled', exitCode: null, error: null });
      return undefined;
    }
    if (await this.#mustWait(queued)) {
      await bull.moveToDelayed(Date.now() + waitFor, token);
      return undefined;
    }
    this.#held.set(id, held);
    // Written before the process starts: a later attempt must know that there was one.
    await bull.updateProgress(state);
    return this.#lease(held, queued);
  }

  #lease(held: Held, queued: QueuedJob): Lease {
    const { bull, token, state, needs } = held;
    const over = () => this.#held.delete(String(bull.id));
    return {
      id: String(bull.id),
      input: queued.input,
      part: queued.part,
      needs,
      attempt: state.attempt,
      crashes: state.crashes,
      conflicts: state.conflicts,
      cancelled: held.cancelled.signal,
      lost: held.lost.signal,
      progress: (progress) => {
        state.progress = progress;
        held.changed = true;
      },
      line: (line) => held.unsaid.push(line),
      done: async (result) => {
        await this.#say(held);
        await this.#whileHeld(held, async () => {
          await bull.moveToCompleted(result, token, false);
          await this.#broker.forgetCancelled(String(bull.id));
        });
        over();
      },
      ended: async (ending) => {
        await this.#say(held);
        await this.#whileHeld(held, () => this.#end(held, queued, ending));
        over();
      },
      giveBack: async ({ after, crashed = false, conflict = false }) => {
        state.worker = null;
        if (crashed) state.crashes++;
        if (conflict) state.conflicts++;
        held.changed = true;
        await this.#say(held);
        await this.#whileHeld(held, async () => {
          if (after > 0) await bull.moveToDelayed(Date.now() + after, token);
          else await bull.moveToWait(token);
        });
        over();
      },
      forget: over,
    };
  }

  /** Whether a job has not ended that this one must not run beside. */
  async #mustWait({ after }: QueuedJob): Promise<boolean> {
    for (const { id, className } of after) {
      if (!resourcesOfClass(className)) continue;
      const state = await this.#broker.queue(className).getJobState(id);
      if (state !== 'completed' && state !== 'failed' && state !== 'unknown') return true;
    }
    return false;
  }

  async #end({ bull, token }: Held, queued: QueuedJob, ending: QueuedEnding): Promise<void> {
    await bull.updateData({ ...queued, ending });
    await bull.moveToFailed(new Error(ending.error ?? ending.status), token, false);
    await this.#broker.forgetCancelled(String(bull.id));
  }

  /** What Redis refuses because the lease is over is left to the worker that has the job now. */
  async #whileHeld(held: Held, work: () => Promise<void>): Promise<void> {
    if (held.lost.signal.aborted) return;
    const done = work().catch((error: unknown) => {
      held.lost.abort();
      this.#log(`Job '${held.bull.id}' is no longer this worker's.`, error);
    });
    await Promise.race([done, held.over]);
  }

  #beat(): void {
    const now = performance.now();
    for (const [id, held] of this.#held)
      if (!held.lost.signal.aborted && now - held.renewedAt > (2 / 3) * this.#milliseconds) {
        this.#log(`Job '${id}' could not be renewed and is left to the next worker.`);
        held.lost.abort();
      }
    if (this.#beating) return;
    this.#beating = true;
    this.#renew()
      .catch((error: unknown) => this.#log('The heartbeat failed.', error))
      .finally(() => (this.#beating = false));
  }

  async #renew(): Promise<void> {
    const held = [...this.#held].filter(([, { lost }]) => !lost.signal.aborted);
    await Promise.all(
      held.map(async ([id, one]) => {
        const asked = performance.now();
        const renewed = await one.bull.extendLock(one.token, this.#milliseconds).catch(() => 0);
        if (renewed === 1) one.renewedAt = asked;
        else if (this.#held.get(id) === one) one.lost.abort();
      }),
    );
    const cancelled = held.length > 0 ? await this.#broker.cancelled() : new Set<string>();
    for (const [id, one] of held) if (cancelled.has(id)) one.cancelled.abort();
    await this.#broker.beat({ ...this.#record, heardAt: Date.now(), jobs: [...this.#held.keys()] });
  }

  #tell(): void {
    for (const held of this.#held.values())
      if (!held.lost.signal.aborted && (held.changed || held.unsaid.length > 0))
        this.#say(held).catch((error: unknown) => this.#log('Progress could not be told.', error));
  }

  /** Tells Redis the lines and the progress that it doesn't know; in turn, so that no older state follows a newer one. */
  #say(held: Held): Promise<unknown> {
    const lines = held.unsaid.splice(0);
    const said = held.state.logged + lines.length;
    held.state.logged = said;
    held.changed = false;
    const state = { ...held.state, lines };
    const before = held.saying;
    const say = async () => {
      await before.catch(() => {});
      for (const line of lines) await held.bull.log(line);
      await held.bull.updateProgress(state);
    };
    const saying = say();
    held.saying = saying;
    return Promise.race([saying, held.over]);
  }
}
