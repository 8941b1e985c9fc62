/**
 * The changes of jobs as numbered events, so that a client that lost its connection can continue after the last event it received.
 */
import { EventEmitter, once } from 'node:events';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Job, JobDetail, JobEvent, JobWatchInput } from '../contract/jobs.ts';

interface NumberedEvent {
  number: number;
  event: JobEvent;
}

/** Number of events kept for clients that reconnect. */
const keptEvents = 2_000;
/** Subscriptions at a time: each is a connection that is kept, and hears of everything. */
export const mostWatchers = 2_000;
/** Milliseconds between two events of a job's progress, for each watcher. */
const millisecondsAWatcher = 2;

export class JobEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #events: NumberedEvent[] = [];
  /** When each running job's progress was last sent. */
  readonly #lastProgress = new Map<string, number>();
  /** Prefix of event ids, which distinguishes them from those of an earlier server. */
  readonly #epoch = Date.now().toString(36);
  #number = 0;
  #watchers = 0;

  /** Subscriptions that are open. */
  get watchers(): number {
    return this.#watchers;
  }

  status(job: JobDetail): void {
    if (job.finishedAt !== null) this.#lastProgress.delete(job.id);
    this.#emit({ type: 'status', job: withoutDetail(job) });
  }

  line(job: JobDetail, line: string): void {
    this.#emit({ type: 'log', job: withoutDetail(job), line });
  }

  /** Each event is sent to every watcher: hundreds of them hear of progress less often, which leaves the machine to the job. */
  progress(job: JobDetail, stageBefore: string | undefined): void {
    const now = performance.now();
    const since = now - (this.#lastProgress.get(job.id) ?? -Infinity);
    if (stageBefore === job.progress?.stage && since < this.watchers * millisecondsAWatcher) return;
    this.#lastProgress.set(job.id, now);
    this.#emit({ type: 'progress', job: withoutDetail(job) });
  }

  /**
   * As `Queue.watch`; `jobs` are all jobs, newest first, and `jobOf` throws for one that there isn't. Nothing is kept for a watcher but
   * its place among the latest events; one that takes none for so long that its place is gone gets a snapshot again. Throws 'unavailable' where there
   * are as many watchers as there may be.
   */
  async *watch(
    { id, lastEventId }: JobWatchInput,
    jobs: () => Job[],
    jobOf: (id: string) => Job,
    signal?: AbortSignal,
  ): AsyncGenerator<[string, JobEvent]> {
    if (id !== undefined) jobOf(id);
    const concerns = ({ event }: NumberedEvent) => id === undefined || event.job.id === id;
    const named = ({ number, event }: NumberedEvent): [string, JobEvent] => [
      `${this.#epoch}.${number}`,
      event,
    ];
    const hasEnded = () => id !== undefined && jobOf(id).finishedAt !== null;
    let seen = this.#number;
    const snapshot = () =>
      jobs()
        .map((job) => ({ number: seen, event: { type: 'snapshot' as const, job } }))
        .filter(concerns)
        .reverse()
        .map(named);
    const missed = this.#missedSince(lastEventId);
    // This is determined before yielding: a job that ends while the snapshot is read still has its last event to come.
    const over = hasEnded();
    if (this.#watchers >= mostWatchers)
      throw new LazyscopeError(
        'unavailable',
        `${mostWatchers} pages or programs follow the jobs of this server already: close some, then try again.`,
      );
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

  #missedSince(lastEventId: string | null | undefined): NumberedEvent[] | undefined {
    const [epoch, number] = lastEventId?.split('.') ?? [];
    const last = Number(number);
    const oldest = this.#events[0]?.number ?? 1;
    if (epoch !== this.#epoch || !Number.isInteger(last) || last + 1 < oldest) return undefined;
    return this.#events.filter((event) => event.number > last);
  }

  #emit(event: JobEvent): void {
    const numbered = { number: ++this.#number, event };
    this.#events.push(numbered);
    if (this.#events.length > keptEvents) this.#events.shift();
    this.#emitter.emit('event', numbered);
  }
}

export function withoutDetail({ log: _log, result: _result, ...job }: JobDetail): Job {
  return job;
}
