/** What a job's error says of a process that failed. */

/** Lines and characters of a crashed command's output that its error repeats. */
const lastLines = 4;
const mostCharacters = 600;

export interface Ending {
  exitCode: number;
  /** The signal that ended the process. */
  signal: NodeJS.Signals | null;
}

/** The line that a failed command ends with; of a process that crashed before it could say one, how it ended and its last lines. */
export function whyEnded({ exitCode, signal }: Ending, log: readonly string[]): string {
  // A line from before the crash doesn't say why there was one.
  const said = signal === null ? errorLine(log) : undefined;
  if (said !== undefined) return said;
  const how = signal === null ? `exit code ${exitCode}` : `${signal}${guess(signal)}`;
  const last = log.slice(-lastLines).join('\n');
  if (last === '') return `The command ended with ${how} and said nothing.`;
  const cut = last.length > mostCharacters ? `…${last.slice(-mostCharacters)}` : last;
  return `The command ended with ${how}. Its last lines:\n${cut}`;
}

function guess(signal: NodeJS.Signals): string {
  switch (signal) {
    case 'SIGKILL':
      return ', which is how a system ends processes when it runs out of memory';
    case 'SIGABRT':
      return ', which is how Node ends when its heap is full';
    default:
      return '';
  }
}

/** The message of the line `lazyscope: …` with which a failed command ends. */
export function errorLine(lines: readonly string[]): string | undefined {
  const last = lines.findLast((line) => line.startsWith('lazyscope: '));
  return last?.slice('lazyscope: '.length);
}
