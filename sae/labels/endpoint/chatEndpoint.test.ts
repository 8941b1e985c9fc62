/** What the client of an endpoint does when the endpoint is slow, busy, broken or says no. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { answerWith, startLocalEndpoint, type LocalEndpoint } from '../../fixtures/localEndpoint.ts';
import { ChatEndpoint, type ChatEndpointOptions } from './chatEndpoint.ts';
import { excerpt, judgementMessages, readJudgement, readLabel } from './prompts.ts';

let local: LocalEndpoint;
beforeAll(async () => {
  local = await startLocalEndpoint();
});
afterAll(() => local.close());
beforeEach(() => {
  local.requests = [];
  local.instead = null;
});

const client = (more: Partial<ChatEndpointOptions> = {}) =>
  new ChatEndpoint({
    baseUrl: local.baseUrl,
    model: 'reader',
    key: 'secret-key',
    requestsPerMinute: 60_000,
    timeoutSeconds: 20,
    retries: 3,
    firstWait: 0.01,
    ...more,
  });
const hello = [{ role: 'user' as const, content: 'hello' }];
/** Answers the first requests with these statuses, the rest as usual. */
const failFirst = (statuses: number[], headers: Record<string, string> = {}) => {
  local.instead = (_, response) => {
    const status = statuses[local.requests.length - 1];
    if (status === undefined) return false;
    response.writeHead(status, headers).end('{"error":"not now, secret-key"}');
    return true;
  };
};

test('a request is one of OpenAI’s, with the key as its bearer', async () => {
  local.instead = (_, response) => {
    answerWith(response, 'yes');
    return true;
  };
  expect(await client().ask(hello, 7)).toBe('yes');
  expect(local.requests).toMatchObject([
    {
      path: '/v1/chat/completions',
      headers: { authorization: 'Bearer secret-key' },
      body: { model: 'reader', messages: hello, max_tokens: 7, temperature: 0 },
    },
  ]);
  await client({ key: undefined, baseUrl: `${local.baseUrl}/` }).ask(hello, 7);
  expect(local.requests[1].headers.authorization).toBeUndefined();
  expect(local.requests[1].path).toBe('/v1/chat/completions');
});

test.each([[[429, 503]], [[500]], [[408, 502, 504]]])(
  'after %j it asks again and gets its answer',
  async (statuses) => {
    failFirst(statuses);
    const waits: number[] = [];
    await client({ onRetry: (_, seconds) => waits.push(seconds) }).ask(hello, 7);
    expect(local.requests).toHaveLength(statuses.length + 1);
    expect(waits).toEqual(statuses.map((_, i) => 0.01 * 2 ** i));
  },
);

test('it waits as long as the endpoint says', async () => {
  failFirst([429, 429], { 'retry-after': '0.02' });
  const waits: number[] = [];
  await client({ onRetry: (_, seconds) => waits.push(seconds) }).ask(hello, 7);
  expect(waits).toEqual([0.02, 0.02]);
});

test('after the last retry it gives up, and says how to go on', async () => {
  failFirst(Array.from({ length: 9 }, () => 503));
  await expect(client({ retries: 2 }).ask(hello, 7)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/status 503, 3 tries.*run the command again/),
  });
  expect(local.requests).toHaveLength(3);
});

test.each([400, 401, 404])(
  'status %i is not asked again, and the key is not in the message',
  async (status) => {
    failFirst([status]);
    const error = await client()
      .ask(hello, 7)
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'bad_input', message: expect.stringContaining(`status ${status}`) });
    expect(String(error)).not.toContain('secret-key');
    expect(local.requests).toHaveLength(1);
  },
);

test('an endpoint that does not answer in time, is not there, or answers something else is tried again', async () => {
  local.instead = (_, response) => {
    if (local.requests.length > 1) response.writeHead(200).end('<html>');
    return true;
  };
  await expect(client({ timeoutSeconds: 0.2, retries: 0 }).ask(hello, 7)).rejects.toThrow(
    /no answer within 0.2 s/,
  );
  await expect(client({ retries: 1 }).ask(hello, 7)).rejects.toThrow(/not JSON, 2 tries/);
  await expect(client({ baseUrl: 'http://127.0.0.1:9/v1', retries: 0 }).ask(hello, 7)).rejects.toThrow(
    /can't be reached/,
  );
});

test('requests are at least a minute’s share apart', async () => {
  const limited = client({ requestsPerMinute: 600 });
  const start = performance.now();
  for (let i = 0; i < 4; i++) await limited.ask(hello, 7);
  expect(performance.now() - start).toBeGreaterThan(290);
});

test('it stops at once when asked to, also between two tries', async () => {
  const stopping = new AbortController();
  failFirst([503, 503, 503, 503], { 'retry-after': '60' });
  const asked = client({ signal: stopping.signal, onRetry: () => stopping.abort() }).ask(hello, 7);
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
});

test.each(['ftp://host/v1', 'host', 'http://name:word@host/v1', 'http://host/v1?key=1'])(
  '%s is no address',
  (baseUrl) => {
    expect(() => client({ baseUrl })).toThrow(/no address of an endpoint/);
  },
);

test('answers are read strictly: a list of the right length of 1 and 0, and the first line of a label', () => {
  expect(readJudgement('I think [1, 0,1]', 3)).toEqual([true, false, true]);
  for (const wrong of ['[1,0]', '[1,0,2]', 'yes, no, yes', '', '[true,false,true]'])
    expect(readJudgement(wrong, 3)).toEqual([null, null, null]);
  expect(readLabel('\n "names of ships."\nbecause …')).toBe('names of ships');
  expect(readLabel('  \n""')).toBeNull();
  expect(readLabel('x'.repeat(500))).toHaveLength(200);
});

test('an excerpt marks runs of tokens once, and detection marks none', () => {
  const texts = ['The', ' white', ' whale', '\n', 'swam'];
  expect(excerpt(texts, { length: 5 }, [1, 2, 4])).toBe('The<< white whale>>⏎<<swam>>');
  expect(excerpt(texts, { length: 5 })).toBe('The white whale⏎swam');
  const [, { content }] = judgementMessages('fuzzing', 'whales', ['a', 'b']);
  expect(content).toBe('Description: whales\n\nExcerpt 1: a\nExcerpt 2: b');
});
