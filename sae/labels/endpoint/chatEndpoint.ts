/**
 * One client of a chat-completions endpoint, as OpenAI defines it and llama.cpp, vLLM, Ollama and others offer it. It sends one request at a time,
 * never more a minute than allowed, and again what can be expected to work later.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';

export interface ChatEndpointOptions {
  /** Up to `/chat/completions`, for example `http://127.0.0.1:8080/v1`. */
  baseUrl: string;
  model: string;
  /** Sent as a bearer token; kept nowhere and said in no message. */
  key?: string | undefined;
  requestsPerMinute: number;
  timeoutSeconds: number;
  /** How often a request is sent again. */
  retries: number;
  signal?: AbortSignal | undefined;
  /** Told before each wait for another try. */
  onRetry?: (why: string, seconds: number) => void;
  /** Seconds of the first wait where the endpoint doesn't say; each further one is twice as long. */
  firstWait?: number;
}

export interface ChatMessage {
  role: 'system' | 'user';
  content: string;
}

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })).min(1),
});

/** Bytes of an answer that are read; an answer of a few words has some hundred. */
const mostBytes = 1 << 20;
const longestWait = 120;

export class ChatEndpoint {
  readonly #options: ChatEndpointOptions;
  readonly #url: string;
  #nextAt = 0;
  /** Requests sent, those that were sent again included. */
  requests = 0;

  /** Throws 'bad_input' for an address that isn't one of http or https. */
  constructor(options: ChatEndpointOptions) {
    const { baseUrl } = options;
    const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search)
      throw new LazyscopeError(
        'bad_input',
        `'${baseUrl.slice(0, 100)}' is no address of an endpoint: give one like http://127.0.0.1:8080/v1, and the key in LAZYSCOPE_LABEL_API_KEY.`,
      );
    this.#options = options;
    this.#url = `${url.href.replace(/\/+$/, '')}/chat/completions`;
  }

  /**
   * The text of the answer. Throws 'bad_input' when the endpoint refuses the request, 'unavailable' when it gives no answer after all
   * retries, and 'cancelled' when the signal fires.
   */
  async ask(messages: readonly ChatMessage[], mostTokens: number): Promise<string> {
    const { retries, firstWait = 1, onRetry, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(messages, mostTokens);
      if ('text' in outcome) return outcome.text;
      if (attempt >= retries)
        throw new LazyscopeError(
          'unavailable',
          `The endpoint gave no answer (${outcome.why}, ${attempt + 1} tries): what is labelled so far is kept; run the command again to go on.`,
        );
      const seconds = Math.min(longestWait, outcome.after ?? firstWait * 2 ** attempt);
      onRetry?.(outcome.why, seconds);
      await this.#pause(seconds * 1000, signal);
    }
  }

  async #attempt(
    messages: readonly ChatMessage[],
    mostTokens: number,
  ): Promise<{ text: string } | { why: string; after: number | undefined }> {
    const { model, key, timeoutSeconds, requestsPerMinute, signal } = this.#options;
    await this.#pause(this.#nextAt - Date.now(), signal);
    this.#nextAt = Date.now() + 60_000 / requestsPerMinute;
    this.requests++;
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({ model, messages, temperature: 0, max_tokens: mostTokens, stream: false }),
        signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
        // The key must not follow to another address.
        redirect: 'error',
      });
      const body = await bodyOf(response);
      if (response.ok) return readAnswer(body);
      if (response.status === 408 || response.status === 429 || response.status >= 500)
        return { why: `status ${response.status}`, after: retryAfter(response) };
      throw new LazyscopeError(
        'bad_input',
        `The endpoint refused the request with status ${response.status}: ${this.#withoutKey(body).slice(0, 200)}`,
      );
    } catch (error) {
      if (error instanceof LazyscopeError) throw error;
      if (signal?.aborted) throw stopped();
      return {
        why: timeout.aborted
          ? `no answer within ${timeoutSeconds} s`
          : `it can't be reached: ${causeOf(error)}`,
        after: undefined,
      };
    }
  }

  #withoutKey(text: string): string {
    const { key } = this.#options;
    return (key ? text.replaceAll(key, '…') : text).replaceAll(/\s+/g, ' ').trim();
  }

  async #pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw stopped();
    if (milliseconds <= 0) return;
    await wait(milliseconds, undefined, signal ? { signal } : {}).catch(() => {
      throw stopped();
    });
  }
}

const stopped = () =>
  new LazyscopeError('cancelled', 'Stopped while labelling; what is labelled so far is kept.');

function readAnswer(body: string): { text: string } | { why: string; after: undefined } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { why: 'its answer is not JSON', after: undefined };
  }
  const read = answerSchema.safeParse(value);
  if (!read.success) return { why: 'its answer is not a chat completion', after: undefined };
  return { text: read.data.choices[0].message.content ?? '' };
}

/** Seconds that the endpoint asks to wait: a number, or a date. */
function retryAfter(response: Response): number | undefined {
  const said = response.headers.get('retry-after');
  if (said === null) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > mostBytes)
      throw new LazyscopeError(
        'unavailable',
        `The endpoint's answer has more than ${mostBytes} bytes: it is no label.`,
      );
  }
  return Buffer.concat(chunks).toString('utf8');
}

function causeOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  if (typeof cause === 'object' && cause !== null && 'code' in cause) return String(cause.code);
  return error instanceof Error ? error.message : String(error);
}
