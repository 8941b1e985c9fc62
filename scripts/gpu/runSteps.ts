/**
 * Runs the steps of a check one after the other, or side by side where they are not timed, each in a process of its own, so that a lost device or a driver that
 * hangs costs one step and not the rest. What is known is saved after every step: a machine that is lent for
 * minutes may go before the last.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** One process of the check. What it prints on standard output is a JSON document. */
export interface Step {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Seconds after which it is ended. */
  readonly limit: number;
  /** Whether it runs at the same time as its neighbours that may too: it is not timed. */
  readonly beside?: boolean;
}

/** What came of a step. */
export interface StepResult {
  readonly name: string;
  readonly command: string;
  /** `late`: ended at its limit. `skipped`: no time was left for it. */
  readonly outcome: 'done' | 'failed' | 'late' | 'skipped';
  readonly seconds: number;
  /** The document it printed, where it is done. */
  readonly document: unknown;
  /** The last lines of standard error, where it isn't. */
  readonly said: string;
}

export interface RunOptions {
  /** Seconds for all of it. */
  readonly budget: number;
  /** How many run at the same time at most, of those that may; a core less than there are where it is left out. */
  readonly together?: number;
  /** After every step, with all results so far. */
  save(results: readonly StepResult[]): void;
  /** A line for people. */
  say(line: string): void;
}

/** Least seconds worth starting a step for. */
const least = 3;
const lastLines = 12;

/** Steps that no time is left for are named as skipped, so that a short list is not taken for a whole one. */
export async function runSteps(
  steps: readonly Step[],
  { budget, together = Math.max(1, availableParallelism() - 1), save, say }: RunOptions,
): Promise<StepResult[]> {
  const started = performance.now();
  const results: StepResult[] = [];
  for (const group of sideBySide(steps, together)) {
    const left = budget - (performance.now() - started) / 1000;
    const run = async (step: Step) => {
      const result = left < least ? skipped(step) : await runStep(step, Math.min(step.limit, left));
      results.push(result);
      say(`${result.name}: ${result.outcome}${left < least ? '' : ` in ${result.seconds.toFixed(1)} s`}`);
      if (result.said && result.outcome !== 'skipped') say(`    ${result.said.split('\n').at(-1)}`);
      save(results);
    };
    await Promise.all(group.map(run));
  }
  return results;
}

/** The steps in order, with neighbours that may run at the same time in groups of at most so many. */
function sideBySide(steps: readonly Step[], most: number): Step[][] {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (step.beside && last?.[0].beside && last.length < most) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

const commandOf = ({ program, args }: Step) => [program, ...args].join(' ');

function skipped(step: Step): StepResult {
  return {
    name: step.name,
    command: commandOf(step),
    outcome: 'skipped',
    seconds: 0,
    document: null,
    said: 'No time was left.',
  };
}

function runStep(step: Step, limit: number): Promise<StepResult> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(step.program, step.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    let late = false;
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, limit * 1000);
    const end = (status: number | null, problem = '') => {
      clearTimeout(timer);
      const document = status === 0 ? parsed(out) : undefined;
      const done = document !== undefined;
      resolve({
        name: step.name,
        command: commandOf(step),
        outcome: done ? 'done' : late ? 'late' : 'failed',
        seconds: (performance.now() - started) / 1000,
        document: document ?? null,
        said: done ? '' : (problem || err || out).trim().split('\n').slice(-lastLines).join('\n'),
      });
    };
    child.on('error', (error) => end(null, error.message));
    child.on('close', (status) => end(status));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
