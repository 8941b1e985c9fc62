/**
 * The server's side of the process that keeps its model: starts it with the first question, ends it when nobody has asked
 * for a while, and starts another after a crash.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LazyscopeError } from '../../sae/errors.ts';
import type { FeaturesRequest, SteerRequest } from '../../sae/inference/attachedModel.ts';
import type { SteerEvent } from '../../sae/inference/steer.ts';
import type { TextFeatures } from '../../sae/inference/textFeatures.ts';
import type { ModelStatus } from '../contract/playground.ts';
import type { Log } from '../log.ts';
import type { FromModelProcess, ModelMemory, Question, ToModelProcess } from './messages.ts';

export interface ModelWorkerOptions {
  /** The program and its first arguments, for example `[node, scripts/lazyscope.mjs]`. */
  program: readonly [string, ...string[]];
  dataFolder: string;
  backend?: string;
  threads?: number;
  /** Seconds without a question after which the process ends; five minutes when absent. */
  idleSeconds?: number;
  log: Log;
}

/** Questions that may be open at a time. */
export const mostQuestions = 16;
/** Milliseconds in which a process that was told to end may do so. */
const patience = 5_000;

/** What comes of a question, in the order in which it comes; null is the end. */
type Told = { features: TextFeatures } | { event: SteerEvent } | { error: Error } | null;

class Inbox {
  readonly #told: Told[] = [];
  #wake: () => void = () => {};

  put(told: Told): void {
    this.#told.push(told);
    this.#wake();
  }

  async take(): Promise<Told> {
    while (this.#told.length === 0) await new Promise<void>((wake) => (this.#wake = wake));
    return this.#told.shift() ?? null;
  }
}

interface Running {
  child: ChildProcess;
  inboxes: Map<number, Inbox>;
  ended: Promise<void>;
}

export class ModelWorker {
  readonly #options: ModelWorkerOptions;
  #running: Running | undefined;
  #memory: ModelMemory | null = null;
  #number = 0;
  #open = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #ending = new Set<Promise<void>>();

  constructor(options: ModelWorkerOptions) {
    this.#options = options;
  }

  /** The features of a text. Throws what `AttachedModel.features` throws, and 'unavailable' as `#ask` does. */
  async features(model: string, request: FeaturesRequest, signal?: AbortSignal): Promise<TextFeatures> {
    let found: TextFeatures | undefined;
    for await (const told of this.#ask({ type: 'features', model, request }, signal))
      if (told && 'features' in told) found = told.features;
    if (found) return found;
    throw new Error('the process of the model ended a question without an answer');
  }

  /** What a model says when it is steered. Throws what `AttachedModel.steer` throws, and 'unavailable' as `#ask` does. */
  async *steer(model: string, request: SteerRequest, signal?: AbortSignal): AsyncGenerator<SteerEvent, void> {
    for await (const told of this.#ask({ type: 'steer', model, request }, signal))
      if (told && 'event' in told) yield told.event;
  }

  status(): ModelStatus {
    const { idleSeconds = 300 } = this.#options;
    const running = this.#running !== undefined;
    return {
      state: this.#open > 0 ? 'answering' : running ? 'waiting' : 'stopped',
      model: running ? (this.#memory?.model ?? null) : null,
      parameters: running ? (this.#memory?.parameters ?? null) : null,
      dictionaries: running ? (this.#memory?.dictionaries ?? []) : [],
      residentBytes: running ? (this.#memory?.residentBytes ?? null) : null,
      idleSeconds,
    };
  }

  /** The process's number, for tests of what happens when it is killed. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** Ends the process and waits for it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await Promise.all(this.#ending);
  }

  /**
   * Everything that comes of a question. Ends the question when the reader leaves or the signal is aborted. Throws 'unavailable' when
   * too many are open, when the process can't be started, and when it ends before it has answered.
   */
  async *#ask(question: Question, signal: AbortSignal | undefined): AsyncGenerator<Told, void> {
    if (this.#closed)
      throw new LazyscopeError('unavailable', 'The server is shutting down: ask again when it is back.');
    if (this.#open >= mostQuestions)
      throw new LazyscopeError(
        'unavailable',
        `The model is answering ${mostQuestions} questions: ask again in a moment.`,
      );
    const running = (this.#running ??= this.#start());
    const id = ++this.#number;
    const inbox = new Inbox();
    running.inboxes.set(id, inbox);
    clearTimeout(this.#timer);
    this.#open++;
    const send = (message: ToModelProcess) => {
      // A process that is gone has no ear; its end is in the inbox.
      if (running.child.connected) running.child.send(message, () => {});
    };
    const stop = () => {
      send({ type: 'stop', id });
      inbox.put({ error: new LazyscopeError('cancelled', 'The question was withdrawn.') });
    };
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    else send({ type: 'ask', id, question });
    let ended = false;
    try {
      for (;;) {
        const told = await inbox.take();
        if (told === null || 'error' in told) ended = true;
        if (told === null) return;
        if ('error' in told) throw told.error;
        yield told;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      if (!ended) send({ type: 'stop', id });
      running.inboxes.delete(id);
      this.#open--;
      if (this.#open === 0) this.#endLater();
    }
  }

  #start(): Running {
    const { program, dataFolder, backend, threads, log } = this.#options;
    const [file, ...before] = program;
    const args = [
      ...before,
      'model-process',
      `--data=${dataFolder}`,
      ...(backend === undefined ? [] : [`--backend=${backend}`]),
      ...(threads === undefined ? [] : [`--threads=${threads}`]),
    ];
    const child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Numbers that JSON lacks travel too.
      serialization: 'advanced',
    });
    let said = '';
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        said = line;
        log(`model: ${line}`);
      });
    const inboxes = new Map<number, Inbox>();
    child.on('message', (message: FromModelProcess) => this.#hear(message, inboxes));
    const ended = new Promise<void>((resolve) => {
      const end = (why: string) => {
        if (this.#running === running) {
          this.#running = undefined;
          this.#memory = null;
        }
        for (const inbox of inboxes.values())
          inbox.put({
            error: new LazyscopeError(
              'unavailable',
              `The process of the model ended before it had answered (${why}): ask again, and another is started.`,
            ),
          });
        resolve();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? (said || `status ${code}`)));
    });
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
    const running: Running = { child, inboxes, ended };
    return running;
  }

  #hear(message: FromModelProcess, inboxes: ReadonlyMap<number, Inbox>): void {
    if (message.type === 'memory') {
      this.#memory = message.memory;
      return;
    }
    const inbox = inboxes.get(message.id);
    switch (message.type) {
      case 'features':
        inbox?.put({ features: message.features });
        break;
      case 'event':
        inbox?.put({ event: message.event });
        break;
      case 'done': {
        const { error } = message;
        const thrown = error && (error.code ? new LazyscopeError(error.code, error.message) : new Error(error.message)); // prettier-ignore
        inbox?.put(thrown ? { error: thrown } : null);
      }
    }
  }

  #endLater(): void {
    if (!this.#running) return;
    const { idleSeconds = 300 } = this.#options;
    this.#timer = setTimeout(() => this.#stop(), idleSeconds * 1000);
    this.#timer.unref();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    this.#memory = null;
    const { child } = running;
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), patience);
    void running.ended.then(() => clearTimeout(insist));
  }
}
