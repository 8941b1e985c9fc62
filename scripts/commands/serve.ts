/** `lazyscope serve`: the explorer and the API, on one port. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import {
  bundledModels,
  environment,
  explorerPlace,
  packageVersion,
  program,
} from '../commandLine/environment.ts';
import { byteSize, withCommonOptions, wholeNumber } from '../commandLine/options.ts';
import { openPublished, type CacheFlags, type OpenedStore } from '../commandLine/publishedStore.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';

export interface ServeFlags {
  port: number;
  host: string;
  token?: string;
  readToken?: string;
  queue?: string;
  launcher?: 'slurm';
  sbatch?: string;
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
      '--queue <address>',
      "a Redis, redis://host:6379, from which 'lazyscope worker' takes the jobs, instead of running them on this machine (a password may stand in LAZYSCOPE_QUEUE_PASSWORD)",
    )
    .addOption(
      new Option('--launcher <name>', 'hand jobs to Slurm instead of running them on this machine').choices([
        'slurm',
      ]),
    )
    .option(
      '--sbatch <options>',
      "with --launcher: options of sbatch, such as '--partition=gpu --time=4:00:00'",
    )
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
  { port, host, token = environment.token, readToken, queue, launcher, sbatch, log, explorer }: ServeFlags,
  published?: Pick<OpenedStore, 'root' | 'url' | 'labels'>,
): Promise<{ url: string; port: number; stay: () => Promise<void> }> {
  if (queue !== undefined && launcher !== undefined)
    throw new LazyscopeError(
      'bad_input',
      '--queue and --launcher are two ways to run the same jobs: give one of them.',
    );
  if (sbatch !== undefined && launcher === undefined)
    throw new LazyscopeError('bad_input', '--sbatch goes with --launcher slurm: add that, or leave it out.');
  if (published?.labels && launcher !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `--launcher takes a folder as --data, because the tasks of Slurm leave their logs and results in one that they share: give --queue in its place, or leave it out.`,
    );
  if (published && !published.labels && (queue !== undefined || launcher !== undefined))
    throw new LazyscopeError(
      'bad_input',
      `A published store can't be changed, so it has no jobs: leave --${queue === undefined ? 'launcher' : 'queue'} out.`,
    );
  const { serve } = await import('../../server/serve.ts');
  const { backend, threads } = session.options;
  const server = await serve({
    dataFolder: published?.root ?? session.store.root,
    ...(published && { publishedAt: published.url }),
    ...(published?.labels && { labels: published.labels }),
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
    ...(launcher === undefined ? {} : { launcher }),
    ...(sbatch === undefined ? {} : { sbatch }),
    ...(queue === undefined ? {} : { queue: { address: queue, password: environment.queuePassword } }),
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
