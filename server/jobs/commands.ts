/** Runs the command line in child processes. All computing happens there, so that the server keeps answering. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Progress } from '../../sae/progress.ts';
import { describedJob, jobKinds } from '../../sae/spec/jobs/jobs.ts';
import type { GenerateInput, Generation } from '../contract/models.ts';
import type { Overview } from '../contract/overview.ts';
import type { Log } from '../log.ts';
import { errorLine, type Ending } from './whyEnded.ts';

export interface CommandsOptions {
  /** The program and its first arguments, for example `[node, scripts/lazyscope.mjs]`. */
  program: readonly [string, ...string[]];
  dataFolder: string;
  /** Passed on as `--backend` and `--threads` if given. */
  backend?: string;
  threads?: number;
  log: Log;
}

export interface CommandListener {
  progress?(progress: Progress): void;
  line?(line: string): void;
  /** The code of the error with which the command failed, where that was foreseen. */
  failure?(code: string): void;
}

export interface Running {
  /** Undefined where no process could be started. */
  pid: number | undefined;
  /**
   * Stops the command as Ctrl-C does, so that it writes what it can keep; kills it if it has not ended after `patience` milliseconds,
   * by default a minute.
   */
  stop(patience?: number): void;
  /** `exitCode` is, for a process that a signal ended, 128 and the signal's number, as a shell has it. */
  finished: Promise<Ending & { output: string }>;
}

const progressSchema = z.object({
  progress: z.object({
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.string(),
    values: z.record(z.string(), z.number().nullable()).optional(),
    secondsLeft: z.number().optional(),
  }),
});
const generationSchema = z.object({ text: z.string(), tokens: z.number(), seconds: z.number() });
const doctorSchema = z.object({ chosen: z.object({ name: z.string(), detail: z.string() }).nullable() });

/** Milliseconds that a stopped command has for writing its checkpoint before it is killed. */
export const checkpointPatience = 60_000;

export class Commands {
  readonly #options: CommandsOptions;
  readonly #running = new Set<Running>();
  #backend: Overview['backend'] = null;
  #askedForBackend = false;
  /** The generation before, for which the next one waits, so that one runs at a time. */
  #generations: Promise<unknown> = Promise.resolve();

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** `variables` are added to the environment. */
  run(
    args: readonly string[],
    listener: CommandListener = {},
    variables: Readonly<Record<string, string>> = {},
  ): Running {
    const [file, ...before] = this.#options.program;
    const child = spawn(file, [...before, ...args, ...this.#commonArguments(args)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...variables, LAZYSCOPE_PROGRESS: 'json' },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const lines = createInterface({ input: child.stderr });
    lines.on('line', (line) => readLine(line, listener));
    const linesEnded = new Promise<void>((resolve) => lines.once('close', resolve));
    const closed = new Promise<Ending>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) =>
        resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0), signal }),
      );
    });
    const running: Running = {
      pid: child.pid,
      stop: (patience = checkpointPatience) => stopChild(child, patience),
      finished: closed.then(async (ending) => {
        await linesEnded;
        return { ...ending, output };
      }),
    };
    this.#running.add(running);
    running.finished.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  /** Commands that compute nothing refuse the flags of a backend. */
  #commonArguments([command]: readonly string[]): string[] {
    const { dataFolder } = this.#options;
    const kind = jobKinds.find((one) => one === command);
    const computes = kind === undefined || describedJob(kind).computes !== false;
    const { backend, threads } = computes ? this.#options : {};
    return [
      '--json',
      `--data=${dataFolder}`,
      ...(backend === undefined ? [] : [`--backend=${backend}`]),
      ...(threads === undefined ? [] : [`--threads=${threads}`]),
    ];
  }

  /** Whether commands may compute on a GPU: they may not where they were told to compute, or are known to compute, elsewhere. */
  mayUseGpu(): boolean {
    const name = this.#options.backend ?? this.backend()?.name;
    return name === undefined || name === 'webgpu' || name === 'tensorflow';
  }

  generate(folder: string, input: GenerateInput): Promise<Generation> {
    const turn = this.#generations.then(() => this.#generate(folder, input));
    this.#generations = turn.catch(() => {});
    return turn;
  }

  async #generate(folder: string, input: GenerateInput): Promise<Generation> {
    const { model, prompt, maxNewTokens, temperature, topK, topP, seed } = input;
    const optional = { 'top-k': topK, 'top-p': topP, seed };
    const lines: string[] = [];
    const { exitCode, output } = await this.run(
      [
        'lm',
        'generate',
        `--model=${folder}`,
        `--prompt=${prompt}`,
        `--max-new-tokens=${maxNewTokens}`,
        `--temperature=${temperature}`,
        ...Object.entries(optional)
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => `--${name}=${value}`),
      ],
      { line: (line) => lines.push(line) },
    ).finished;
    if (exitCode === 2)
      throw new LazyscopeError('bad_input', errorLine(lines) ?? `Model '${model}' could not generate text.`);
    if (exitCode !== 0) throw new Error(`lm generate exited with ${exitCode}:\n${lines.join('\n')}`);
    return { model, prompt, ...generationSchema.parse(JSON.parse(output)) };
  }

  /** The backend that commands compute on. The first call runs `lazyscope doctor`; null until that has answered. */
  backend(): Overview['backend'] {
    if (!this.#askedForBackend) {
      this.#askedForBackend = true;
      this.#askDoctor().catch((error: unknown) => this.#options.log('doctor gave no answer.', error));
    }
    return this.#backend;
  }

  async #askDoctor(): Promise<void> {
    const { output } = await this.run(['doctor']).finished;
    this.#backend = doctorSchema.parse(JSON.parse(output)).chosen;
  }

  /** Stops every child and waits for them. */
  async close(): Promise<void> {
    const running = [...this.#running];
    for (const each of running) each.stop();
    await Promise.allSettled(running.map((each) => each.finished));
  }
}

/** Tells the listener what one line of a command's standard error says. */
export function readLine(line: string, listener: CommandListener): void {
  if (line.startsWith('{"progress":')) {
    try {
      const { values, secondsLeft, ...progress } = progressSchema.parse(JSON.parse(line)).progress;
      const finite = Object.entries(values ?? {}).filter(
        (entry): entry is [string, number] => entry[1] !== null,
      );
      listener.progress?.({
        ...progress,
        ...(values ? { values: Object.fromEntries(finite) } : {}),
        ...(secondsLeft === undefined ? {} : { secondsLeft }),
      });
      return;
    } catch {
      // The line is not progress, so it is shown as output.
    }
  }
  const code = /^\{"failure":"([a-z_]+)"\}$/.exec(line)?.[1];
  if (code !== undefined) listener.failure?.(code);
  else if (line.trim() !== '') listener.line?.(line);
}

function stopChild(child: ChildProcess, patience: number): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // Not SIGINT: a terminal sends that too, to every process in it, and the second one ends a command at once.
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), patience);
  insist.unref();
  child.once('close', () => clearTimeout(insist));
}
