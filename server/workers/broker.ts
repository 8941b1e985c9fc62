/**
 * One data folder's jobs in Redis: BullMQ's queues, one for each class of resources, the classes that there are, the jobs that
 * somebody wants to stop, and the workers that are there. Server, workers and commands all reach Redis through it.
 */
import { Queue, type QueueOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Log } from '../log.ts';
import type { QueueAddress } from './queueAddress.ts';

/** Milliseconds that Redis has to answer before it counts as gone. */
const patience = 5_000;
/** Milliseconds between two attempts to reach a Redis that is gone. */
const betweenAttempts = 500;
/** Milliseconds after which a worker that says nothing counts as gone, and after which it is forgotten. */
const silent = 10_000;
const forgotten = 10 * 60_000;

const workerSchema = z.object({
  /** Host and process. */
  name: z.string(),
  since: z.string(),
  /** When it was heard last, in milliseconds since 1970. */
  heardAt: z.number(),
  concurrency: z.number(),
  /** Of each of its jobs. */
  threads: z.number().exactOptional(),
  gpu: z.number(),
  memory: z.number(),
  /** Ids of the jobs it runs. */
  jobs: z.array(z.string()),
});
export type WorkerRecord = z.infer<typeof workerSchema>;

/** Whether a worker has said nothing for too long. */
export const isGone = ({ heardAt }: Pick<WorkerRecord, 'heardAt'>) => Date.now() - heardAt >= silent;

export class Broker {
  readonly shown: string;
  readonly #client: Redis;
  readonly #options: QueueOptions;
  readonly #log: Log;
  readonly #queues = new Map<string, Queue>();
  #away = false;

  private constructor(address: QueueAddress, id: string, log: Log) {
    this.shown = address.shown;
    this.#log = log;
    // A Redis that comes back is found again, however long it was gone.
    const connection = {
      ...address.connection,
      connectTimeout: patience,
      maxRetriesPerRequest: null,
      retryStrategy: () => betweenAttempts,
    };
    // In a cluster of Redis the braces keep all keys of a folder on one node.
    this.#options = { connection, prefix: `lazyscope:{${id}}` };
    this.#client = new Redis(connection);
    this.listen(this.#client);
    this.#client.on('ready', () => {
      if (this.#away) this.#log(`Redis at ${this.shown} answers again.`);
      this.#away = false;
    });
  }

  /** `id` is that of the data folder. Throws 'unavailable' where no Redis answers, 'bad_input' where it refuses the credentials. */
  static async open(address: QueueAddress, id: string, log: Log): Promise<Broker> {
    const trial = new Redis({ ...address.connection, connectTimeout: patience, lazyConnect: true, retryStrategy: () => null }); // prettier-ignore
    let said: Error | undefined;
    trial.on('error', (error: Error) => (said = error));
    try {
      await within(patience, trial.connect());
      await within(patience, trial.ping());
    } catch (cause) {
      const message = `${said?.message ?? ''} ${cause instanceof Error ? cause.message : ''}`;
      throw /WRONGPASS|NOAUTH|NOPERM|invalid password/i.test(message)
        ? new LazyscopeError(
            'bad_input',
            `Redis at ${address.shown} refuses the user or password: give them in --queue, or the password in LAZYSCOPE_QUEUE_PASSWORD.`,
          )
        : new LazyscopeError(
            'unavailable',
            `No Redis answers at ${address.shown}: start one, or check --queue.`,
          );
    } finally {
      trial.disconnect();
    }
    return new Broker(address, id, log);
  }

  /** What a BullMQ object of this data folder is made with. */
  get options(): QueueOptions {
    return this.#options;
  }

  /** Says once, in one line, that Redis is gone, however many connections notice it. */
  listen(emitter: { on(event: 'error', listener: (error: Error) => void): unknown }): void {
    emitter.on('error', (error) => {
      const gone = /ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Connection is closed|LOADING/i.test(String(error)) || error.message === ''; // prettier-ignore
      if (!gone) this.#log(`Redis at ${this.shown} said: ${error.message}`);
      else if (!this.#away) this.#log(`Redis at ${this.shown} is gone; it is tried again until it answers.`);
      if (gone) this.#away = true;
    });
  }

  queue(className: string): Queue {
    let queue = this.#queues.get(className);
    if (!queue) {
      queue = new Queue(className, this.#options);
      this.listen(queue);
      this.#queues.set(className, queue);
    }
    return queue;
  }

  /**
   * Throws 'unavailable' where Redis doesn't answer in time, and at once, before anything is asked, where it is known to be gone: what is asked
   * then would be done when it is back, though its caller had been told to try again.
   */
  async answered<T>(work: () => Promise<T>): Promise<T> {
    const message = `Redis at ${this.shown} does not answer: try again when it is back.`;
    if (this.#away && this.#client.status !== 'ready') throw new LazyscopeError('unavailable', message);
    return within(patience, work(), message);
  }

  /** Throws 'unavailable' where Redis doesn't answer in time. */
  async ping(): Promise<void> {
    await this.answered(() => this.#client.ping());
  }

  /** Every class in which there ever was a job. */
  classes(): Promise<string[]> {
    return this.#client.smembers(this.#key('classes'));
  }

  async announce(className: string): Promise<void> {
    await this.#client.sadd(this.#key('classes'), className);
  }

  async askToCancel(id: string): Promise<void> {
    await this.#client.sadd(this.#key('cancelled'), id);
  }

  async cancelled(): Promise<Set<string>> {
    return new Set(await this.#client.smembers(this.#key('cancelled')));
  }

  async forgetCancelled(id: string): Promise<void> {
    await this.#client.srem(this.#key('cancelled'), id);
  }

  async beat(worker: WorkerRecord): Promise<void> {
    await this.#client.hset(this.#key('workers'), worker.name, JSON.stringify(worker));
  }

  async leave(name: string): Promise<void> {
    await this.#client.hdel(this.#key('workers'), name);
  }

  /** Workers that were heard in the last ten minutes, and may be gone. Those before are forgotten. */
  async workers(): Promise<WorkerRecord[]> {
    const records = await this.#client.hgetall(this.#key('workers'));
    const found: WorkerRecord[] = [];
    for (const [name, text] of Object.entries(records)) {
      const record = workerSchema.safeParse(parsed(text)).data;
      if (record && Date.now() - record.heardAt < forgotten) found.push(record);
      else await this.leave(name);
    }
    return found;
  }

  /** The place of the newest event of a class. */
  async lastEvent(className: string): Promise<string> {
    const [newest] = await this.#client.xrevrange(this.#key(`${className}:events`), '+', '-', 'COUNT', 1);
    return newest?.[0] ?? '0-0';
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => within(patience, queue.close())));
    this.#client.disconnect();
  }

  #key(name: string): string {
    return `${this.#options.prefix}:${name}`;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Rejects where `work` takes longer; what it does then goes on unheard. */
async function within<T>(
  milliseconds: number,
  work: Promise<T>,
  message = 'Redis does not answer.',
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LazyscopeError('unavailable', message)), milliseconds);
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
