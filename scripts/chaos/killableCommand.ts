/** A command of the command line that is killed at a moment of its own progress. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');

/** When a process is killed: a share of the time before its first word of progress, or of the time behind it. */
export interface Moment {
  phase: 'start' | 'work';
  share: number;
}

/** Milliseconds of an undisturbed process before its first word of progress, and behind it. */
export interface Duration {
  start: number;
  work: number;
}

export interface Ended {
  killed: boolean;
  status: number | null;
  said: string;
  took: Duration;
}

/** Runs the command to its end, or kills it at the moment, which `usual` makes a time. */
export async function killableCommand(
  args: readonly string[],
  kill?: { moment: Moment; usual: Duration },
): Promise<Ended> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LAZYSCOPE_PROGRESS: 'json' },
  });
  const started = performance.now();
  let worksFrom: number | undefined;
  let killed = false;
  let said = '';
  let timer: NodeJS.Timeout | undefined;
  const killAt = (phase: Moment['phase']) => {
    if (kill?.moment.phase !== phase) return;
    timer = setTimeout(() => (killed = child.kill('SIGKILL')), kill.moment.share * kill.usual[phase]);
  };
  killAt('start');
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
    if (worksFrom !== undefined || !text.includes('{"progress":')) return;
    worksFrom = performance.now();
    killAt('work');
  });
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  const end = performance.now();
  worksFrom ??= end;
  return {
    killed: killed && signal === 'SIGKILL',
    status,
    said: said
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{"progress":'))
      .slice(-3)
      .join(' '),
    took: { start: worksFrom - started, work: end - worksFrom },
  };
}
