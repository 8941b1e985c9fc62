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

/** What pages ask for. */
const questions: Record<string, (client: LazyscopeClient, random: Random) => Promise<unknown>> = {
  overview: (client) => client.overview.get.query(),
  'runs.list': (client) => client.runs.list.query(),
  'features.list': (client, random) =>
    client.features.list.query({ ...dictionary(random), sort: 'density', filter: { dead: false } }),
  'features.get': (client, random) =>
    client.features.get.query({ ...dictionary(random), latent: random.below(64) }),
  'search.find': (client) => client.search.find.query({ text: 'the whale' }),
  'comparisons.list': (client) => client.comparisons.list.query(),
  'jobs.list': (client) => client.jobs.list.query(),
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
  #reading = false;
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
    while (!signal.aborted) {
      // Uniform from nothing to twice the mean, so that they spread over the spell.
      await sleep(2_000 * pause * random.uniform(), undefined, { signal }).catch(() => {});
      if (!this.#reading) await this.#awake;
      if (signal.aborted) return;
      const [question, ask] = kinds[random.below(kinds.length)];
      const asked = performance.now();
      try {
        await again(() => ask(client, random));
        this.answers.push({ question, ms: performance.now() - asked });
      } catch (error) {
        this.errors.push(`${question}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
