/** `lazyscope plan`: what a sweep would run elsewhere, as commands, as a script for Slurm, or as a Kubernetes Job. */
import { Command, Option } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { program } from '../commandLine/environment.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { plannedRuns } from '../commandLine/plannedRuns.ts';
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
    .description('print what a sweep would run on workers, Slurm or Kubernetes, and run nothing')
    .argument('<sweep>', 'a YAML file, as train takes it');
  return withStoreOptions(command)
    .addOption(new Option('--format <name>', 'how it is printed').choices(formats).default('commands'))
    .option('--analyse', 'each run is evaluated, indexed and compared after its training')
    .option('--resources <list>', 'slurm and k8s: what each run needs, gpu=1,memory=16GB')
    .option('--sbatch <options>', "slurm: options of sbatch, such as '--partition=gpu --time=4:00:00'")
    .option('--image <name>', 'k8s: the image of the pods, in which lazyscope is a command')
    .option('--claim <name>', 'k8s: the PersistentVolumeClaim of the data folder')
    .action((sweep: string, given: PlanFlags) =>
      runCommand(command, (session) => print(session, sweep, given)),
    );
}

async function print(session: Session, sweep: string, given: PlanFlags): Promise<Outcome> {
  const { format, analyse, sbatch, image, claim } = given;
  refuseIdle(given);
  const runs = await plannedRuns(session, { sweep, ...(analyse && { analyse }) });
  const jobs = runs.map(({ job }) => job);
  const { commandArguments, commandLine } = await import('../../server/jobs/commandArguments.ts');
  const document = {
    runs: runs.map(({ name, job }) => ({ name, ...job, command: commandLine(commandArguments(job)) })),
  };
  const resources = await needs(given);
  const { root } = session.store;
  switch (format) {
    case 'commands':
      return { document, text: document.runs.map(({ command }) => command).join('\n') };
    case 'slurm': {
      const { slurmScript } = await import('../../server/slurm/slurmScript.ts');
      const id = 'plan';
      const { folder } = (await import('../../server/slurm/launch.ts')).launchPaths(session.store, id);
      const script = slurmScript({ id, folder, dataFolder: root, program, jobs, resources, options: sbatch });
      return { document: { ...document, script }, text: script };
    }
    case 'k8s': {
      if (image === undefined || claim === undefined)
        throw new LazyscopeError(
          'bad_input',
          `A Kubernetes Job needs --${image === undefined ? 'image' : 'claim'}: --image registry/lazyscope:tag --claim NAME.`,
        );
      const { kubernetesJob } = await import('../commandLine/kubernetesJob.ts');
      const manifest = kubernetesJob({ name: jobName(runs[0].name), jobs, resources, image, claim });
      return { document: { ...document, manifest }, text: manifest };
    }
  }
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

/** What the runs' names begin with, as Kubernetes takes names. */
function jobName(run: string): string {
  const plain = run.split('-')[0].toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, ''); // prettier-ignore
  return `lazyscope-${plain}`.slice(0, 50).replace(/-+$/, '');
}
