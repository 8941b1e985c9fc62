/**
 * What every command has in common: the store, progress, Ctrl-C, one document or one text on standard
 * output, and an exit status.
 *
 *     0    done
 *     2    an argument or a file was wrong, missing or in the way: one line says which, and what to do
 *     1    a bug of Lazyscope: the line is followed by what a bug report needs
 *     130  stopped by Ctrl-C, after what can be kept was kept
 */
import type { Command } from 'commander';
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import type { EncoderPath } from '../../sae/backends/backend.ts';
import type { StartedBackend } from '../../sae/backends/startBackend.ts';
import { pause } from '../../sae/pause.ts';
import { workUnderLease } from '../../sae/store/lock.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { systemError } from '../../sae/store/systemError.ts';
import { isBucketAddress } from '../../sae/store/remote/address.ts';
import type { Report } from '../../sae/progress.ts';
import { environment } from './environment.ts';
import { refuseAddress } from './foldersOnly.ts';
import { oneLine } from './oneLine.ts';
import { progressView } from './progressView.ts';
import type { OpenedStore } from './publishedStore.ts';

export interface CommonOptions {
  json?: boolean;
  /** Absent, as `backend` is, from commands without it, which then use neither. */
  data?: string | undefined;
  backend?: string | undefined;
  threads?: number;
  /** Only commands that train offer it. */
  screening?: boolean;
  /** Only commands that train offer it. */
  graphs?: boolean;
  /** Only commands that train offer it: numbers with commas between them, or `all`. */
  devices?: string;
  mpi?: boolean;
  /** Only commands that train offer it. */
  storage?: 'f32' | 'f16';
  /** Only commands that run a language model offer it. */
  products?: 'f32' | 'tf32';
  /** `bench train` offers it. */
  path?: EncoderPath;
}

export interface Session {
  store: StoreLayout;
  options: CommonOptions;
  report: Report;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  /** A line for people, on standard error. */
  say(line: string): void;
  /** Starts the chosen backend; once a process. */
  startBackend(): Promise<StartedBackend>;
}

export interface Outcome {
  /** What `--json` prints; undefined where there is nothing to print. */
  document: unknown;
  /** What is printed without `--json`. */
  text: string;
  /** What the command goes on doing after its output, until Ctrl-C. */
  stay?: () => Promise<void>;
  /** Thrown after the output, by commands whose output says what is wrong, so that the exit status says it too. */
  failure?: LazyscopeError | undefined;
}

/** Milliseconds within which two interrupts are one. */
const sameCtrlC = 300;

/** Runs the work of a command and ends the process. */
export async function runCommand(
  command: Command,
  work: (session: Session) => Promise<Outcome>,
): Promise<void> {
  const options = command.optsWithGlobals<CommonOptions>();
  const view = progressView(environment.progress, process.stderr);
  const stopping = new AbortController();
  let askedAt = Infinity;
  const stop = () => {
    askedAt = Math.min(askedAt, performance.now());
    stopping.abort();
  };
  process.on('SIGTERM', stop).on('SIGINT', () => {
    // A second Ctrl-C ends the process at once, without waiting for the checkpoint. One Ctrl-C may arrive twice: a terminal sends
    // it to every process in it, and npm passes it on.
    if (performance.now() - askedAt > sameCtrlC) process.exit(130);
    stop();
  });
  // The server that reads this process's progress is gone, and nobody can stop it any more.
  if (environment.progress === 'json') process.stderr.on('error', stop);
  // Standard output is the caller's: whatever a library prints goes to standard error.
  console.log = console.error;
  console.info = console.error;

  /** Names files as people know them, not by their place in a cache. */
  let shown = (text: string, _asJson?: boolean) => text;
  let started: Promise<StartedBackend> | undefined;
  const session: Session = {
    store: new StoreLayout(options.data ?? 'data'),
    options,
    report: view.report,
    signal: stopping.signal,
    say: (line) => view.say(shown(line)),
    startBackend: async () => {
      const backend = await (started ??= startChosen(options, session));
      // Much has been read by now, and a signal that came meanwhile has not had its turn.
      await pause(stopping.signal, 'starting');
      return backend;
    },
  };
  let opened: OpenedStore | undefined;
  try {
    if (environment.lease !== undefined) workUnderLease(environment.lease);
    refuseAddress(command, options.data);
    opened = await openWhatLiesElsewhere(command, session);
    if (opened) {
      const { root, url } = opened;
      // The address may have what is escaped in JSON.
      shown = (text, asJson) => text.replaceAll(root, asJson ? JSON.stringify(url).slice(1, -1) : url);
    }
    const { document, text, stay, failure } = await work(session);
    // What a command says it has done is done when what it wrote is where the store lies.
    const closing = opened;
    opened = undefined;
    await closing?.close();
    view.end();
    const printed =
      options.json && document !== undefined ? `${JSON.stringify(document, null, 2)}\n` : withLineEnd(text);
    await write(process.stdout, shown(printed, options.json));
    if (failure) throw failure;
    await stay?.();
    view.end();
    process.exit(0);
  } catch (error) {
    // What can be kept is kept there too; the first error is the one to tell.
    await opened?.close().catch((also: unknown) => session.say(explain(also, false).message.trim()));
    view.end();
    const { status, message } = explain(error, stopping.signal.aborted);
    // For whoever reads the progress: what kind of failure the line for people is.
    if (environment.progress === 'json' && isLazyscopeError(error))
      await write(process.stderr, `${JSON.stringify({ failure: error.code })}\n`);
    await write(process.stderr, shown(message));
    process.exit(status);
  }
}

/** A store in a bucket, whose folder on this disk is the session's from then on. The server opens its own, which it only reads. */
async function openWhatLiesElsewhere(command: Command, session: Session): Promise<OpenedStore | undefined> {
  const { data } = session.options;
  if (data === undefined || !isBucketAddress(data) || command.name() === 'serve') return undefined;
  const { openBucket } = await import('./publishedStore.ts');
  const opened = await openBucket(session);
  if (opened) session.store = new StoreLayout(opened.root);
  return opened;
}

function devicesOf(text: string): 'all' | number[] {
  if (text === 'all') return text;
  if (!/^\d{1,4}(,\d{1,4})*$/.test(text))
    throw new LazyscopeError(
      'bad_input',
      `--devices takes numbers of GPUs with commas between them, or all, not '${text}': nvidia-smi lists them.`,
    );
  return text.split(',').map(Number);
}

async function startChosen(
  { backend = 'auto', threads, screening, graphs, devices, storage, products, path, mpi }: CommonOptions,
  session: Session,
): Promise<StartedBackend> {
  const { backendChoices, startBackend } = await import('../../sae/backends/startBackend.ts');
  const choice = backendChoices.find((name) => name === backend);
  if (!choice)
    throw new LazyscopeError(
      'bad_input',
      `--backend ${backend}: choose one of ${backendChoices.join(', ')}.`,
    );
  const place = mpi && (await import('../../sae/training/sharding/openMpi.ts')).placeOnMachine();
  const started = await startBackend(choice, {
    ...(threads !== undefined && { threads }),
    ...(screening !== undefined && { screening }),
    ...(graphs !== undefined && { graphs }),
    ...(devices !== undefined && { devices: devicesOf(devices) }),
    ...(storage !== undefined && { storage }),
    ...(products !== undefined && { products }),
    ...(path !== undefined && { path }),
    ...(place && { process: place }),
  });
  // The fallback is never silent.
  if (choice === 'auto' && started.name !== 'native')
    session.say(`Computing on ${started.name}: ${started.reason}`);
  return started;
}

export function explain(thrown: unknown, stopped: boolean): { status: number; message: string } {
  const error = systemError(thrown) ?? thrown;
  if (isLazyscopeError(error)) {
    if (error.code === 'cancelled') return { status: 130, message: `lazyscope: ${error.message}\n` };
    return { status: 2, message: `lazyscope: ${oneLine(error.message)}\n` };
  }
  if (stopped) return { status: 130, message: 'lazyscope: Stopped.\n' };
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const said = error instanceof Error ? error.message : String(error);
  return {
    status: 1,
    message: `lazyscope: Something went wrong inside Lazyscope (${oneLine(said)}); please report it with the lines below.\n${stack}\n`,
  };
}

const withLineEnd = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    // It is no error when the reader of a pipe has gone away (`| head`).
    stream.once('error', () => resolve());
    stream.write(text, () => resolve());
  });
}
