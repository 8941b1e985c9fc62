/** `lazyscope jobs`: lists, starts, estimates, watches and cancels jobs of the running server. Without a server, `list` reads the log of past jobs. */
import { Command } from 'commander';
import { existsSync, readFileSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Job, LazyscopeClient } from '../../server/client.ts';
import { environment } from '../commandLine/environment.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { parseJob } from '../commandLine/parseJob.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { duration } from '../commandLine/progressView.ts';
import { figure, table } from '../commandLine/table.ts';

interface Options {
  url?: string;
  token?: string;
}

export function jobs(): Command {
  const group = new Command('jobs').description(
    'list, start, estimate, watch and cancel jobs of the running server',
  );
  return group
    .addCommand(subcommand('list', 'all jobs, newest first', [], listJobs), { isDefault: true })
    .addCommand(
      subcommand(
        'start',
        'start a job: its kind and options as JSON, for example \'{"kind":"evaluate","options":{"run":"demo-topk"}}\'',
        ['<json>'],
        startJob,
      ),
    )
    .addCommand(
      subcommand(
        'estimate',
        'what such a job would take on the machine of the server: time, disk and memory; nothing is started',
        ['<json>'],
        estimateJob,
      ),
    )
    .addCommand(subcommand('watch', 'follow a job to its end', ['<id>'], watchJob))
    .addCommand(subcommand('cancel', 'ask a job to stop', ['<id>'], cancelJob));
}

type Work = (session: Session, given: Options, argument: string) => Promise<Outcome>;

function subcommand(name: string, description: string, args: string[], work: Work): Command {
  const command = new Command(name).description(description);
  for (const argument of args) command.argument(argument);
  // A mistyped subcommand arrives here, at the default subcommand, as an argument.
  if (args.length === 0) command.allowExcessArguments().hook('preAction', refuseUnknown);
  return withStoreOptions(command)
    .option('--url <address>', 'of the server; by default the one on this data folder')
    .option('--token <secret>', 'of the server (or LAZYSCOPE_TOKEN)')
    .action((...given: [Options] | [string, Options]) => {
      const [argument, options] = given.length > 2 ? (given as [string, Options]) : ['', given[0] as Options];
      return runCommand(command, (session) => work(session, options, argument));
    });
}

function refuseUnknown(command: Command): void {
  const [unknown] = command.args;
  if (unknown !== undefined) command.error(`unknown command '${unknown}'`, { exitCode: 2 });
}

async function connect(
  { store }: Session,
  { url, token = environment.token }: Options,
): Promise<LazyscopeClient> {
  const { createLazyscopeClient } = await import('../../server/client.ts');
  const path = store.serverAddress();
  const address = url ?? (existsSync(path) ? addressIn(path) : undefined);
  if (address === undefined)
    throw new LazyscopeError(
      'not_found',
      `No server runs on '${store.root}': start one with 'lazyscope serve', or name another with --url.`,
    );
  return createLazyscopeClient({ url: address, ...(token === undefined ? {} : { token }) });
}

function addressIn(path: string): string {
  const { url }: { url: string } = JSON.parse(readFileSync(path, 'utf8'));
  return url;
}

/** Turns a refusal by the server, or no answer from it, into an error with exit status 2. */
async function ask<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const unreachable = /fetch failed|ECONNREFUSED/.test(said);
    throw new LazyscopeError(
      unreachable ? 'unavailable' : 'bad_input',
      unreachable ? "The server does not answer: start it with 'lazyscope serve'." : said,
      { cause },
    );
  }
}

async function listJobs(session: Session, given: Options): Promise<Outcome> {
  const { store } = session;
  const running = given.url !== undefined || existsSync(store.serverAddress());
  const list: Job[] = running
    ? await ask((await connect(session, given)).jobs.list.query())
    : await loggedJobs(session);
  const head = ['id', 'status', 'kind', 'progress', 'command'];
  const rows = list.map(({ id, status, kind, progress, command }) => [
    id,
    status,
    kind,
    percentOf(progress),
    command,
  ]);
  return { document: { jobs: list }, text: list.length === 0 ? 'No jobs yet.' : table(head, rows) };
}

async function loggedJobs({ store }: Session): Promise<Job[]> {
  if (!existsSync(store.database())) return [];
  const { Database } = await import('../../server/database.ts');
  const { JobLog } = await import('../../server/jobs/jobLog.ts');
  const database = await Database.open(store.database());
  try {
    return await new JobLog(database).read();
  } finally {
    await database.close();
  }
}

function percentOf(progress: Job['progress']): string {
  return progress && progress.total > 0 ? `${Math.floor((100 * progress.done) / progress.total)} %` : '';
}

async function startJob(session: Session, given: Options, json: string): Promise<Outcome> {
  const job = await ask((await connect(session, given)).jobs.start.mutate(await parseJob(json)));
  return { document: job, text: `Started ${job.id}: ${job.command}` };
}

async function estimateJob(session: Session, given: Options, json: string): Promise<Outcome> {
  const asked = await parseJob(json);
  const found = await ask((await connect(session, given)).jobs.estimate.query(asked));
  const { seconds, disk, memory } = found;
  const gigabytes = (bytes: number) => `${figure(bytes / 1e9, 2)} GB`;
  const row = (
    what: string,
    known: { value: number; formula: string } | null,
    print: (value: number) => string,
  ) => [what, known ? print(known.value) : '–', known?.formula ?? 'not known before it is started'];
  const head = ['of the job', 'about', 'from'];
  const rows = [
    row('time', seconds, duration),
    row('disk', disk, gigabytes),
    row('memory', memory, gigabytes),
  ];
  return {
    document: found,
    text: `${table(head, rows)}${seconds && !seconds.measured ? `\n\n${seconds.basis}.` : ''}`,
  };
}

async function cancelJob(session: Session, given: Options, id: string): Promise<Outcome> {
  const job = await ask((await connect(session, given)).jobs.cancel.mutate({ id }));
  return { document: job, text: `Asked ${job.id} to stop.` };
}

async function watchJob(session: Session, given: Options, id: string): Promise<Outcome> {
  const client = await connect(session, given);
  await ask(client.jobs.get.query({ id }));
  await new Promise<void>((resolve, reject) => {
    const watching = client.jobs.watch.subscribe(
      { id },
      {
        onData: ({ data: { job, type, line } }) => {
          if (type === 'log' && line !== undefined) session.say(line);
          if (job.progress) session.report(job.progress);
          if (job.status === 'queued' || job.status === 'running') return;
          watching.unsubscribe();
          resolve();
        },
        onError: reject,
      },
    );
    session.signal.addEventListener('abort', () => {
      watching.unsubscribe();
      reject(new LazyscopeError('cancelled', `Stopped watching; job '${id}' goes on.`));
    });
  });
  const job = await ask(client.jobs.get.query({ id }));
  return { document: job, text: `${job.id} is ${job.status}.${job.error ? ` ${job.error}` : ''}` };
}
