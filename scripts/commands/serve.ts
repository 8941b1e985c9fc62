/** `lazyscope serve`: the explorer and the API, on one port. */
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  bundledModels,
  environment,
  explorerPlace,
  packageVersion,
  program,
} from '../commandLine/environment.ts';
import { byteSize, withCommonOptions, wholeNumber } from '../commandLine/options.ts';
import { openPublished, type CacheFlags } from '../commandLine/publishedStore.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';

export interface ServeFlags {
  port: number;
  host: string;
  token?: string;
  readToken?: string;
  log?: 'text' | 'json';
  explorer: boolean;
}

type ServeCommandFlags = ServeFlags & CacheFlags;

export function serveCommand(): Command {
  const command = new Command('serve').description(
    'serve the explorer and the API; --data takes the address of a published store too (https://…), which is read through a cache',
  );
  return withCommonOptions(withServeOptions(command))
    .option('--no-explorer', 'the API only')
    .option(
      '--cache <folder>',
      "where files of published stores are kept; by default in the user's cache folder",
    )
    .option(
      '--cache-size <size>',
      'bytes of a published store that are kept, for example 2GB; by default 10GB',
      byteSize,
    )
    .action((given: ServeCommandFlags) =>
      runCommand(command, async (session) => {
        const published = await openPublished(session, given);
        try {
          const { url, port, stay } = await startServing(session, given, published);
          return {
            document: { url, port },
            text: '',
            stay: async () => {
              await stay();
              await published?.close();
            },
          };
        } catch (error) {
          await published?.close();
          throw error;
        }
      }),
    );
}

export function withServeOptions(command: Command): Command {
  return command
    .option('--port <n>', '0 takes any free port', port, 4321)
    .option('--host <name>', 'address to listen on; another than this machine needs a token', '127.0.0.1')
    .option('--token <secret>', 'ask every client for this (or set LAZYSCOPE_TOKEN)')
    .option('--read-token <secret>', 'a second token, for clients that may read but change nothing')
    .addOption(
      new Option('--log <format>', 'how the server writes what happens')
        .choices(['text', 'json'])
        .default('text'),
    );
}

/** Starts the server and says where it is; `stay` waits for Ctrl-C and closes it. */
export async function startServing(
  session: Session,
  { port, host, token = environment.token, readToken, log, explorer }: ServeFlags,
  published?: { root: string; url: string },
): Promise<{ url: string; port: number; stay: () => Promise<void> }> {
  const { serve } = await import('../../server/serve.ts');
  const { backend, threads } = session.options;
  const server = await serve({
    dataFolder: published?.root ?? session.store.root,
    ...(published && { publishedAt: published.url }),
    bundledModels: [bundledModels],
    version: packageVersion(),
    program,
    ...(backend === undefined || backend === 'auto' ? {} : { backend }),
    ...(threads === undefined ? {} : { threads }),
    port,
    hostname: host,
    ...(token === undefined ? {} : { token }),
    ...(readToken === undefined ? {} : { readToken }),
    ...(explorer ? { explorer: explorerPlace } : {}),
    log: (line, details) => {
      const said =
        details === undefined
          ? []
          : [details instanceof Error ? (details.stack ?? details.message) : String(details)];
      if (log === 'json')
        session.say(JSON.stringify({ time: new Date().toISOString(), message: line, details: said[0] }));
      else for (const text of [line, ...said]) session.say(text);
    },
  });
  const address = token === undefined ? server.url : `${server.url}/?token=${encodeURIComponent(token)}`;
  session.say(`Lazyscope is at ${address}  (Ctrl-C stops it)`);
  const stay = async () => {
    await new Promise<void>((resolve) => {
      if (session.signal.aborted) resolve();
      session.signal.addEventListener('abort', () => resolve());
    });
    session.say('Stopping …');
    await server.close();
  };
  return { url: server.url, port: server.port, stay };
}

function port(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError('It must be at most 65535.');
  return value;
}
