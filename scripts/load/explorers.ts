/** People who read: each asks for something that a page of the explorer asks for, reads, and asks for the next. */
import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../sae/numerics/random.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../../server/client.ts';

export interface Answered {
  question: string;
  ms: number;
}

const seeds = [0, 1, 2];
const runs = ['fixture-topk', 'fixture-relu'];

/** What pages ask for. `leaving` ends a request of somebody who closes the page. */
type Ask = (client: LazyscopeClient, random: Random, leaving: { signal: AbortSignal }) => Promise<unknown>;
const questions: Record<string, Ask> = {
  overview: (client, _, leaving) => client.overview.get.query(undefined, leaving),
  'runs.list': (client, _, leaving) => client.runs.list.query(undefined, leaving),
  'features.list': (client, random, leaving) =>
    client.features.list.query({ ...dictionary(random), sort: 'density', filter: { dead: false } }, leaving),
  'features.get': (client, random, leaving) =>
    client.features.get.query({ ...dictionary(random), latent: random.below(64) }, leaving),
  'search.find': (client, _, leaving) => client.search.find.query({ text: 'the whale' }, leaving),
  'comparisons.list': (client, _, leaving) => client.comparisons.list.query(undefined, leaving),
  'jobs.list': (client, _, leaving) => client.jobs.list.query(undefined, leaving),
};

const dictionary = (random: Random) => ({ run: runs[random.below(2)], seed: seeds[random.below(3)] });

/**
 * Asks once more where the server had just closed the idle connection that the question went out on, as browsers do. On a busy
 * machine the client hears of the closing too late.
 */
export async function again<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!/ECONNRESET|other side closed/.test(inspect(error))) throw error;
    return ask();
  }
}

export class Explorers {
  readonly answers: Answered[] = [];
  readonly errors: string[] = [];
  /** Events that the subscriptions received. */
  events = 0;
  readonly #leave = new AbortController();
  readonly #open: Promise<void>[] = [];
  readonly #watching: { unsubscribe(): void }[] = [];
  #reading = true;
  #wake: () => void = () => {};
  #awake: Promise<void> = Promise.resolve();

  constructor(url: string, options: { explorers: number; watchers: number; pause: number }) {
    // Every explorer that reads listens to it.
    setMaxListeners(0, this.#leave.signal);
    this.pause();
    for (let number = 0; number < options.explorers; number++) {
      const client = createLazyscopeClient({ url });
      if (number < options.watchers)
        this.#watching.push(
          client.jobs.watch.subscribe(
            {},
            {
              onData: () => void this.events++,
              onError: (error) => void this.errors.push(`jobs.watch: ${error.message}`),
            },
          ),
        );
      this.#open.push(this.#read(client, Random.fromSeed(number, 'explorer'), options.pause));
    }
  }

  /** Nobody asks for anything until `resume`; subscriptions stay open. */
  pause(): void {
    // Whoever waits already would never hear of a second promise.
    if (!this.#reading) return;
    this.#reading = false;
    this.#awake = new Promise((resolve) => (this.#wake = resolve));
  }

  resume(): void {
    this.#reading = true;
    this.#wake();
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    this.resume();
    for (const watching of this.#watching) watching.unsubscribe();
    await Promise.all(this.#open);
  }

  async #read(client: LazyscopeClient, random: Random, pause: number): Promise<void> {
    const { signal } = this.#leave;
    const kinds = Object.entries(questions);
    let wait = untilNext(random, pause);
    while (!signal.aborted) {
      await sleep(1_000 * wait, undefined, { signal }).catch(() => {});
      if (!this.#reading) {
        await this.#awake;
        // Were all who wait to ask at the first moment, that burst is what would be measured.
        wait = untilNext(random, pause);
        continue;
      }
      if (signal.aborted) return;
      const [question, ask] = kinds[random.below(kinds.length)];
      const asked = performance.now();
      try {
        await again(() => ask(client, random, { signal }));
        this.answers.push({ question, ms: performance.now() - asked });
      } catch (error) {
        if (signal.aborted) return;
        this.errors.push(`${question}: ${error instanceof Error ? error.message : String(error)}`);
      }
      // Uniform from nothing to twice the mean.
      wait = 2 * pause * random.uniform();
    }
  }
}

/**
 * Seconds until somebody asks who came at some moment between two questions, so that as many ask in the first second as in any
 * other: of pauses uniform up to 2m, the rest of one has the distribution 1 − (1 − t/2m)².
 */
function untilNext(random: Random, mean: number): number {
  return 2 * mean * (1 - Math.sqrt(1 - random.uniform()));
}
