/**
 * How often one address may call a server that other machines can reach. On a server that only this machine reaches there
 * are no limits: whoever is on the machine could as well run the commands.
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Requests of one address in ten seconds. A page of the explorer loads about forty files when it is opened first. */
const requests = { points: 600, duration: 10 };

/** Wrong tokens of one address in a minute, after which none of its requests are answered for a minute. */
const wrongTokens = { points: 10, duration: 60 };

export class RateLimits {
  readonly #requests = new RateLimiterMemory(requests);
  readonly #wrongTokens = new RateLimiterMemory(wrongTokens);

  /** Counts a request. Returns the seconds to wait before the next one is answered, or undefined when this one may be. */
  async waitBefore(address: string): Promise<number | undefined> {
    const failures = await this.#wrongTokens.get(address);
    if (failures && failures.consumedPoints > wrongTokens.points) return seconds(failures);
    try {
      await this.#requests.consume(address);
      return undefined;
    } catch (refused) {
      if (refused instanceof RateLimiterRes) return seconds(refused);
      throw refused;
    }
  }

  /** Counts a wrong token. */
  async wrongToken(address: string): Promise<void> {
    await this.#wrongTokens.consume(address).catch(() => {});
  }
}

function seconds({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}
