/** Processes of jobs that outlived the server which started them. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Whether the process is the one that was started with these arguments: numbers of processes are given again, and a stranger's
 * must not be ended. False where the system doesn't tell.
 */
export async function isRunning(pid: number, args: readonly string[]): Promise<boolean> {
  const command = await commandOf(pid);
  return command !== undefined && command.includes(args.join(' '));
}

/** The arguments of a process, with spaces between them. */
async function commandOf(pid: number): Promise<string | undefined> {
  try {
    if (process.platform === 'linux')
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
    return stdout;
  } catch {
    return undefined;
  }
}

/** Asks the process to stop, as cancelling does, and kills it where it has not ended after `patience` milliseconds. Resolves once it is gone. */
export async function endProcess(pid: number, args: readonly string[], patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  if (!signalled(pid, 'SIGTERM')) return;
  while (await isRunning(pid, args)) {
    if (performance.now() > deadline && !signalled(pid, 'SIGKILL')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** False where the process is gone or another user's. */
function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
