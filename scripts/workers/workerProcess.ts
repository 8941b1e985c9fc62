/** `lazyscope worker` as a process that a test may kill. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');

export interface WorkerProcess {
  child: ChildProcess;
  /** Everything it wrote. */
  said(): string;
  /** Resolves with its exit code once it is gone. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Seconds of processor time of the worker and of those jobs of it that have ended; 0 where the system doesn't tell. */
  processorSeconds(): number;
}

export function startWorker(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): WorkerProcess {
  const child = spawn(process.execPath, [script, 'worker', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return {
    child,
    said: () => said,
    end: (signal) => {
      if (child.exitCode === null) child.kill(signal);
      return closed;
    },
    processorSeconds: () => processorSeconds(child.pid),
  };
}

/** Fields 14 to 17 of /proc/PID/stat, in hundredths of a second: of the process, and of its children that were waited for. */
export function processorSeconds(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
  } catch {
    return 0;
  }
}
