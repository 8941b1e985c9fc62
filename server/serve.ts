/** One HTTP server on one port: the API and, beside it, the explorer's pages. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { rm } from 'node:fs/promises';
import { getRequestListener } from '@hono/node-server';
import { LazyscopeError } from '../sae/errors.ts';
import { writeJsonAtomic } from '../sae/store/atomicWrite.ts';
import { createApp, isApiPath } from './app.ts';
import { startExplorer } from './explorer.ts';
import type { Explorer, ExplorerPlace } from './explorer.ts';
import { Guard, isLoopback } from './guard.ts';
import { openContext } from './openContext.ts';
import type { ContextOptions } from './openContext.ts';

export interface ServeOptions extends ContextOptions {
  /** The port to listen on; 0 for any free one. */
  port: number;
  /** The address to listen on, by default 127.0.0.1. Any other than a loopback address needs a token. */
  hostname?: string;
  token?: string;
  /** Where the explorer is; without it only the API is served. */
  explorer?: ExplorerPlace;
}

export interface RunningServer {
  /** `http://127.0.0.1:4321` */
  url: string;
  port: number;
  close(): Promise<void>;
}

export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { port, hostname = '127.0.0.1', token, log } = options;
  if (token === undefined && !isLoopback(hostname))
    throw new LazyscopeError(
      'bad_input',
      `Listening on '${hostname}' lets other machines in: give a secret with --token (or LAZYSCOPE_TOKEN), or leave --host out.`,
    );
  if (token?.trim() === '')
    throw new LazyscopeError('bad_input', 'The token is empty: give --token a secret, or leave it out.');

  const guard = new Guard(token);
  const { context, close: closeContext } = await openContext(options);
  const api = getRequestListener(createApp(context, guard).fetch);
  let explorer: Explorer | undefined;
  const server = createServer((request, response) => {
    const done = isApiPath(pathOf(request))
      ? api(request, response)
      : page(request, response, { guard, explorer });
    done.catch((error: unknown) => {
      log(`${request.method} ${request.url} failed.`, error);
      if (!response.headersSent)
        answer(response, 500, 'Something went wrong inside the server; its log says what.');
    });
  });

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
  const header = (name: string) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
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
    response.writeHead(303, { location: `${url.pathname}${url.search}`, 'set-cookie': cookie }).end();
    return;
  }
  if (!explorer) return answer(response, 503, 'The explorer is not up yet: try again in a moment.');
  await explorer.handle(request, response);
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0];
}
