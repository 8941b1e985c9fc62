/** One HTTP server on one port: the API and, beside it, the explorer's pages. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { rm } from 'node:fs/promises';
import { getRequestListener } from '@hono/node-server';
import { LazyscopeError } from '../sae/errors.ts';
import { writeJsonAtomic } from '../sae/store/atomicWrite.ts';
import { createApp, isApiPath, requestIdHeader } from './app.ts';
import { startExplorer } from './explorer.ts';
import type { Explorer, ExplorerPlace } from './explorer.ts';
import { Guard, isLoopback } from './guard.ts';
import { openContext } from './openContext.ts';
import { RateLimits } from './rateLimits.ts';
import { setSecurityHeaders } from './securityHeaders.ts';
import type { ContextOptions } from './openContext.ts';

export interface ServeOptions extends ContextOptions {
  /** The port to listen on; 0 for any free one. */
  port: number;
  /** The address to listen on, by default 127.0.0.1. Any other than a loopback address needs a token. */
  hostname?: string;
  token?: string;
  /** A second secret, for those who may read but not change anything. Needs `token`. */
  readToken?: string;
  /** Where the explorer is; without it only the API is served. */
  explorer?: ExplorerPlace;
}

export interface RunningServer {
  /** `http://127.0.0.1:4321` */
  url: string;
  port: number;
  close(): Promise<void>;
}

/** Milliseconds that a client has for its headers and for a whole request, and how often that is checked. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 2_000 };

/** Bytes of the headers and the address of a request. A subscription's input, such as a prompt of 4,000 characters, is in its address. */
const maxHeaderSize = 1 << 16;

/** Milliseconds without a byte in either direction after which a connection is closed. Subscriptions send one every five seconds; a generated text may take minutes. */
const silence = 600_000;

export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { port, hostname = '127.0.0.1', token, readToken, log } = options;
  if (token === undefined && !isLoopback(hostname))
    throw new LazyscopeError(
      'bad_input',
      `Listening on '${hostname}' lets other machines in: give a secret with --token (or LAZYSCOPE_TOKEN), or leave --host out.`,
    );
  if (token?.trim() === '')
    throw new LazyscopeError('bad_input', 'The token is empty: give --token a secret, or leave it out.');

  if (readToken !== undefined && (token === undefined || readToken.trim() === '' || readToken === token))
    throw new LazyscopeError(
      'bad_input',
      'A token for readers needs another one beside it that may change things: give both --token and --read-token, two different secrets.',
    );

  const guard = new Guard({ token, readToken });
  const limits = isLoopback(hostname) ? undefined : new RateLimits();
  const { context, close: closeContext } = await openContext(options);
  const api = getRequestListener(createApp(context, guard).fetch);
  let explorer: Explorer | undefined;
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const forApi = isApiPath(pathOf(request));
    const requestId = randomUUID();
    response.setHeader(requestIdHeader, requestId);
    setSecurityHeaders(response, { page: !forApi });
    response.once('finish', () => context.metrics.answered(response.statusCode));
    if (pathOf(request) === '/healthz') return answer(response, 200, 'ok');
    if (pathOf(request) === '/readyz') {
      if (options.explorer && !explorer) return answer(response, 503, 'starting');
      // Whoever asks has no token, and learns neither where the queue is nor what is wrong with it.
      const queueAnswers = await context.jobs.ready().then(
        () => true,
        () => false,
      );
      return queueAnswers
        ? answer(response, 200, 'ready')
        : answer(response, 503, 'the queue of jobs does not answer');
    }
    if (limits && !(await withinLimits(limits, guard, request, response))) return;
    await (forApi ? api(request, response) : page(request, response, { guard, explorer }));
  };
  const server = createServer({ ...timeouts, maxHeaderSize }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      log(`[${String(response.getHeader(requestIdHeader))}] ${request.method} ${request.url} failed.`, error);
      if (!response.headersSent)
        answer(response, 500, 'Something went wrong inside the server; its log says what.');
    });
  });

  server.setTimeout(silence);

  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    if (server.listening) await closed;
    await explorer?.close();
    await rm(context.store.serverAddress(), { force: true });
    await closeContext();
  };
  try {
    const actualPort = await listen(server, port, hostname);
    const url = `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${actualPort}`;
    if (options.explorer)
      explorer = await startExplorer({ ...options.explorer, log, hostname, port: actualPort });
    await writeJsonAtomic(context.store.serverAddress(), { url, pid: process.pid });
    return { url, port: actualPort, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function listen(server: Server, port: number, hostname: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: `Port ${port} is in use: choose another with --port, or --port 0 for any that is free.`,
        EACCES: `Port ${port} needs special rights: choose one above 1023 with --port.`,
        EADDRNOTAVAIL: `'${hostname}' is not an address of this machine: choose another with --host.`,
        ENOTFOUND: `'${hostname}' is not a known address: choose another with --host.`,
      };
      const reason = reasons[error.code ?? ''];
      reject(reason ? new LazyscopeError('conflict', reason, { cause: error }) : error);
    });
    server.listen(port, hostname, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** Serves a page of the explorer. Pages hold no data, so a browser without the token gets them, and they explain what is missing. */
async function page(
  request: IncomingMessage,
  response: ServerResponse,
  { guard, explorer }: { guard: Guard; explorer: Explorer | undefined },
): Promise<void> {
  const header = headerOf(request);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answer(response, 405, 'Pages can only be read.');
  }
  const refusal = guard.refusal(header);
  // Links from other sites to this page are allowed; requests by their scripts are not.
  if (refusal && !(refusal.status === 403 && header('sec-fetch-mode') === 'navigate'))
    return answer(response, refusal.status, refusal.message);
  const base = 'http://localhost';
  if (!URL.canParse(request.url ?? '/', base)) return answer(response, 400, 'That is not an address.');
  const url = new URL(request.url ?? '/', base);
  const cookie = guard.cookieFor(url.searchParams.get('token'));
  if (cookie) {
    url.searchParams.delete('token');
    response
      .writeHead(303, { location: `/${url.pathname.replace(/^\/+/, '')}${url.search}`, 'set-cookie': cookie })
      .end();
    return;
  }
  if (!explorer) return answer(response, 503, 'The explorer is not up yet: try again in a moment.');
  await explorer.handle(request, response);
}

/** Answers 429 and returns false where an address calls too often, or has tried too many wrong tokens. */
async function withinLimits(
  limits: RateLimits,
  guard: Guard,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const address = request.socket.remoteAddress ?? '';
  const wait = await limits.waitBefore(address);
  if (wait !== undefined) {
    response.setHeader('retry-after', wait);
    answer(response, 429, `Too many requests: wait ${wait} s.`);
    return false;
  }
  if (guard.carriesWrongToken(headerOf(request), request.url ?? '')) await limits.wrongToken(address);
  return true;
}

function headerOf(request: IncomingMessage): (name: string) => string | undefined {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0];
}
