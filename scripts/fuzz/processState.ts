/** What a process does, by Linux's /proc, so that one that gets no processor isn't taken for one that hangs. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessState {
  /** Processor time of all its threads since it began. */
  seconds: number;
  /** Whether a thread computes, waits for a processor, or for a disk. */
  wantsToRun: boolean;
}

/** Jiffies of a second in /proc, on every Linux. */
const ticks = 100;

/** Undefined where the system doesn't tell, or the process is gone. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const [, utime, stime] = statOf(`/proc/${pid}/stat`);
    const states = readdirSync(`/proc/${pid}/task`).map(
      (thread) => statOf(`/proc/${pid}/task/${thread}/stat`)[0],
    );
    return {
      seconds: (Number(utime) + Number(stime)) / ticks,
      wantsToRun: states.some((state) => state === 'R' || state === 'D'),
    };
  } catch {
    return undefined;
  }
}

/** State, user and system time. The name before them may have spaces and parentheses (proc(5)). */
function statOf(path: string): [string, string, string] {
  const text = readFileSync(path, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return [fields[0], fields[11], fields[12]];
}
