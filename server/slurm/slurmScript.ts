/** The script of a job array: each task is one command of the command line. */
import { LazyscopeError } from '../../sae/errors.ts';
import { taskArguments, type Task } from '../jobs/tasks.ts';
import type { Resources } from '../workers/resources.ts';
import type { ArrayId, TaskId } from './slurm.ts';

export interface ScriptOptions {
  id: string;
  /** Where logs and exit codes go. */
  folder: string;
  /**
   * Whether somebody else hands the script in, when there is no folder yet: each time it makes one for the array, named by `folder` and the
   * array's number, and Slurm writes the log where it always does.
   */
  byHand?: boolean;
  dataFolder: string;
  program: readonly string[];
  tasks: readonly Task[];
  resources: Resources;
  /** Options of sbatch, as one would type them: `--partition=gpu --time=4:00:00`. */
  options?: string | undefined;
  backend?: string | undefined;
  /** What must have ended before. */
  after?: readonly (TaskId | ArrayId)[];
}

/** Seconds before its time limit at which a task is asked to stop, so that it writes a checkpoint. */
const warning = 90;

/** Throws 'bad_input' for options that sbatch could not read from a script, and for a folder that it can't write logs into. */
export function slurmScript(given: ScriptOptions): string {
  const { id, folder, byHand = false, dataFolder, program, tasks, resources, backend, after = [] } = given;
  const directives = [
    `--job-name=lazyscope-${id}`,
    `--array=0-${tasks.length - 1}`,
    ...(byHand ? [] : [`--output=${logsIn(folder)}`]),
    '--open-mode=append',
    // A task whose node fails is begun again, and goes on from its last checkpoint.
    '--requeue',
    `--signal=B:TERM@${warning}`,
    ...(resources.gpu > 0 ? [`--gres=gpu:${resources.gpu}`] : []),
    ...(resources.memory > 0 ? [`--mem=${Math.ceil(resources.memory / 2 ** 20)}M`] : []),
    ...(after.length > 0 ? [`--dependency=afterany:${after.join(':')}`] : []),
    ...sbatchOptions(given.options),
  ];
  const common = [
    '--json',
    `--data=${dataFolder}`,
    ...(backend === undefined ? [] : [`--backend=${backend}`]),
  ];
  return `#!/bin/sh
${directives.map((directive) => `#SBATCH ${directive}`).join('\n')}
folder=${quoted(folder)}${byHand ? '-"$SLURM_ARRAY_JOB_ID"\nmkdir -p "$folder"' : ''}
index=$SLURM_ARRAY_TASK_ID
${taskCase('$index', tasks)}
rm -f "$folder/$index.exit"
attempt=$((\${SLURM_RESTART_COUNT:-0} + 1))
echo "$attempt $(date -u +%Y-%m-%dT%H:%M:%SZ) $SLURMD_NODENAME" > "$folder/$index.began.part" && mv "$folder/$index.began.part" "$folder/$index.began"
export LAZYSCOPE_PROGRESS=json LAZYSCOPE_LEASE="${byHand ? `${id}-$SLURM_ARRAY_JOB_ID` : id}.$index:$attempt"
${program.map(quoted).join(' ')} "$@" ${common.map(quoted).join(' ')} --threads="\${SLURM_CPUS_ON_NODE:-1}" > "$folder/$index.out" &
child=$!
# The shell is told to stop before the time limit, and waits until the command has written its checkpoint.
trap 'kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2>/dev/null; do
  wait $child
  code=$?
done
echo $code > "$folder/$index.exit.part" && mv "$folder/$index.exit.part" "$folder/$index.exit"
exit $code
`;
}

/** Sets the arguments of the shell to those of the task with this number. */
export function taskCase(number: string, tasks: readonly Task[]): string {
  const cases = tasks.map((task, at) => `${at}) set -- ${taskArguments(task).map(quoted).join(' ')} ;;`);
  return `case ${number} in\n${cases.join('\n')}\n*) echo "lazyscope: there is no task ${number}." >&2; exit 2 ;;\nesac`;
}

export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * The path of the tasks' logs as sbatch reads it in a script, where spaces and '#' would end it. Throws 'bad_input' for a folder with a
 * backslash or a line break in its path: a backslash turns %a off, which keeps the logs of tasks apart.
 */
function logsIn(folder: string): string {
  if (/[\\\n\r]/.test(folder))
    throw new LazyscopeError(
      'bad_input',
      `Slurm can't write logs into '${folder}', whose path has a backslash or a line break: rename the data folder.`,
    );
  const path = `${folder.replaceAll('%', '%%')}/%a.log`;
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `"${path.replaceAll('"', String.raw`\"`)}"`;
}

function sbatchOptions(text: string | undefined): string[] {
  const options = (text ?? '').split(/\s+/).filter((option) => option !== '');
  const wrong = options.find((option) => !/^--[a-z][a-z-]*(=[^\s'"\\`$]+)?$/.test(option));
  if (wrong !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `'${wrong}' is no option for sbatch: give them as --partition=gpu --time=4:00:00, without quotes.`,
    );
  const own = options.find((option) =>
    /^--(array|output|error|job-name|open-mode|dependency)(=|$)/.test(option),
  );
  if (own !== undefined) throw new LazyscopeError('bad_input', `'${own}' is set by Lazyscope: leave it out.`);
  return options;
}
