/** `lazyscope plan`: what a sweep or a split job would run elsewhere, as commands, as scripts for Slurm, or as Kubernetes Jobs. */
import { createHash } from 'node:crypto';
import { Command, Option } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { printPart } from '../../sae/spec/part.ts';
import type { Task } from '../../server/jobs/tasks.ts';
import { program } from '../commandLine/environment.ts';
import { parseJob } from '../commandLine/parseJob.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { plannedRuns, readSweep } from '../commandLine/plannedRuns.ts';
import { runCommand, type Outcome, type Session } from '../commandLine/runCommand.ts';
import { needs } from '../commandLine/runOnQueue.ts';

const formats = ['commands', 'slurm', 'k8s'] as const;

interface PlanFlags {
  format: (typeof formats)[number];
  analyse?: boolean;
  resources?: string;
  sbatch?: string;
  image?: string;
  claim?: string;
}

export function plan(): Command {
  const command = new Command('plan')
    .description(
      'print what a sweep or a split job would run on workers, Slurm or Kubernetes, and run nothing',
    )
    .argument(
      '<what>',
      'a YAML file of a sweep, as train takes it, or a job as JSON, as \'jobs start\' takes it: \'{"kind":"index","options":{"run":"demo-topk"},"parts":4}\'',
    );
  return withStoreOptions(command)
    .addOption(new Option('--format <name>', 'how it is printed').choices(formats).default('commands'))
    .option('--analyse', 'of a sweep: each run is evaluated, indexed and compared after its training')
    .option('--resources <list>', 'slurm and k8s: what each task needs, gpu=1,memory=16GB')
    .option('--sbatch <options>', "slurm: options of sbatch, such as '--partition=gpu --time=4:00:00'")
    .option('--image <name>', 'k8s: the image of the pods, in which lazyscope is a command')
    .option('--claim <name>', 'k8s: the PersistentVolumeClaim of the data folder')
    .action((what: string, given: PlanFlags) =>
      runCommand(command, (session) => print(session, what, given)),
    );
}

interface Planned {
  /** What names made of it begin with. */
  name: string;
  /** The tasks of one stage wait for those of the stage before. */
  stages: Task[][];
  /** What `--json` prints, without the commands. */
  document: (commandOf: (task: Task) => string) => object;
}

async function print(session: Session, what: string, given: PlanFlags): Promise<Outcome> {
  const { format, sbatch, image, claim } = given;
  refuseIdle(given);
  const { name, stages, document: documentOf } = await planned(session, what, given);
  const { commandLine } = await import('../../server/jobs/commandArguments.ts');
  const { taskArguments } = await import('../../server/jobs/tasks.ts');
  const commandOf = (task: Task) => commandLine(taskArguments(task));
  const document = documentOf(commandOf);
  // Pasted into a terminal, a command is to work on the folder that the plan is of.
  const { data = 'data' } = session.options;
  const here = data === 'data' ? [] : [`--data=${data}`];
  const lineOf = (task: Task) => commandLine([...taskArguments(task), ...here]);
  const resources = await needs(given);
  switch (format) {
    case 'commands':
      return { document, text: stages.map((tasks) => tasks.map(lineOf).join('\n')).join('\n\n') };
    case 'slurm': {
      const scripts = await slurmScripts(session, name, stages, { resources, options: sbatch });
      const text = scripts.join('\n');
      return { document: { ...document, script: text }, text };
    }
    case 'k8s': {
      if (image === undefined || claim === undefined)
        throw new LazyscopeError(
          'bad_input',
          `A Kubernetes Job needs --${image === undefined ? 'image' : 'claim'}: --image registry/lazyscope:tag --claim NAME.`,
        );
      const { kubernetesJob } = await import('../commandLine/kubernetesJob.ts');
      const manifest = kubernetesJob({ name: jobName(name), stages, resources, image, claim });
      return { document: { ...document, manifest }, text: manifest };
    }
  }
}

async function planned(session: Session, what: string, { analyse }: PlanFlags): Promise<Planned> {
  if (!what.trimStart().startsWith('{')) {
    const runs = await plannedRuns(session, { sweep: what, ...(analyse && { analyse }) });
    const { nameOfSweep } = await import('../../sae/training/sweep.ts');
    return {
      name: nameOfSweep(await readSweep(what)),
      stages: [runs.map(({ job }) => ({ job }))],
      document: (commandOf) => ({
        runs: runs.map(({ name, job }) => ({ name, ...job, command: commandOf({ job }) })),
      }),
    };
  }
  if (analyse)
    throw new LazyscopeError('bad_input', '--analyse goes with the file of a sweep: leave it out.');
  const job = await parseJob(what);
  const { stagesOf } = await import('../../server/jobs/tasks.ts');
  const stages = stagesOf(job);
  return {
    // Two jobs of one kind must not have one name.
    name: `${job.kind}-${createHash('sha256').update(JSON.stringify(job)).digest('hex').slice(0, 8)}`,
    stages,
    document: (commandOf) => ({
      stages: stages.map((tasks) =>
        tasks.map((task) => ({
          kind: job.kind,
          options: job.options,
          part: task.part ? printPart(task.part) : null,
          command: commandOf(task),
        })),
      ),
    }),
  };
}

/** One script a stage. What a later one waits for is known once the earlier one is handed in. */
async function slurmScripts(
  { store }: Session,
  name: string,
  stages: readonly Task[][],
  given: { resources: Awaited<ReturnType<typeof needs>>; options: string | undefined },
): Promise<string[]> {
  const { slurmScript } = await import('../../server/slurm/slurmScript.ts');
  const { launchPaths } = await import('../../server/slurm/launch.ts');
  return stages.map((tasks, at) => {
    const stage = stages.length === 1 ? '' : at < stages.length - 1 ? '-parts' : '-whole';
    const id = `plan-${name.slice(0, 64)}${stage}`;
    const { folder } = launchPaths(store, id);
    const script = slurmScript({
      id,
      folder,
      byHand: true,
      dataFolder: store.root,
      program,
      tasks,
      ...given,
    });
    const [shell, ...rest] = script.split('\n');
    const first = `# Hand this one in with 'sbatch --dependency=afterany:N', where N is the number of the array before.`;
    return at === 0 ? script : [shell, first, ...rest].join('\n');
  });
}

/** Throws 'bad_input' for a flag that the format has no use for. */
function refuseIdle({ format, resources, sbatch, image, claim }: PlanFlags): void {
  const wrong =
    (sbatch !== undefined && format !== 'slurm' && '--sbatch') ||
    (image !== undefined && format !== 'k8s' && '--image') ||
    (claim !== undefined && format !== 'k8s' && '--claim') ||
    (resources !== undefined && format === 'commands' && '--resources');
  if (wrong)
    throw new LazyscopeError('bad_input', `${wrong} says nothing in --format ${format}: leave it out.`);
}

/** The name as Kubernetes takes names. */
function jobName(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, ''); // prettier-ignore
  return `lazyscope-${plain}`.slice(0, 50).replace(/-+$/, '');
}
