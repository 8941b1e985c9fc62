/** The commands of Slurm that are used: sbatch, squeue, scancel and, for how a job ended, scontrol. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LazyscopeError } from '../../sae/errors.ts';

/** One task of a job array, `JOB_INDEX`. */
export type TaskId = `${number}_${number}`;
/** All tasks of one. */
export type ArrayId = `${number}`;

export interface TaskState {
  /** Slurm's word, such as PENDING, RUNNING, COMPLETING or TIMEOUT. */
  state: string;
  /** Why it waits, or None. */
  reason: string;
  node: string;
}

/** A cluster that takes job arrays. */
export interface Cluster {
  /** Hands a script in and gives the number of the array. Throws 'bad_input' for what the cluster refuses. */
  submit(script: string): Promise<number>;
  /** Tasks of this user that wait or run. */
  tasks(): Promise<Map<TaskId, TaskState>>;
  /** Slurm's word for how a task ended; undefined where it has forgotten. */
  ending(task: TaskId): Promise<string | undefined>;
  cancel(task: TaskId | ArrayId): Promise<void>;
}

export class Slurm implements Cluster {
  async submit(script: string): Promise<number> {
    const said = await run('sbatch', ['--parsable', script]);
    const id = Number(said.trim().split(';')[0]);
    if (!Number.isSafeInteger(id))
      throw new LazyscopeError('unavailable', `sbatch said no number of a job: ${said}`);
    return id;
  }

  async tasks(): Promise<Map<TaskId, TaskState>> {
    const said = await run('squeue', ['--me', '--noheader', '--array', '--format=%F|%K|%T|%r|%N']);
    const rows = said.split('\n').map((line) => line.trim().split('|'));
    return new Map(
      rows
        .filter(([id, index]) => /^\d+$/.test(id) && /^\d+$/.test(index ?? ''))
        .map(([id, index, state, reason, node]) => [
          `${Number(id)}_${Number(index)}`,
          { state, reason, node },
        ]),
    );
  }

  async ending(task: TaskId): Promise<string | undefined> {
    const said = await run('scontrol', ['--oneliner', 'show', 'job', task]).catch(() => '');
    return /\bJobState=(\w+)/.exec(said)?.[1];
  }

  async cancel(task: TaskId | ArrayId): Promise<void> {
    await run('scancel', [task]);
  }
}

async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: 60_000, maxBuffer: 1 << 26 });
    return stdout;
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    if (code === 'ENOENT')
      throw new LazyscopeError(
        'unavailable',
        `There is no '${command}' on this machine: run this where jobs of Slurm are handed in, or leave --launcher out.`,
      );
    const said = (stderr ?? '').trim().split('\n').join(' ');
    const refused =
      command === 'sbatch' && /invalid|not available|unrecognized|violates|unable to/i.test(said);
    throw new LazyscopeError(
      refused ? 'bad_input' : 'unavailable',
      `${command} failed: ${said === '' ? String(cause) : said}`,
      { cause },
    );
  }
}
