/**
 * The `lazyscope` command line. Each command is a file of ./commands that declares its options and, when it
 * runs, imports what it needs: `lazyscope --help` loads no tensor library.
 */
import { Command, CommanderError } from 'commander';
import { commandWords, jobKinds } from '../sae/spec/jobs/jobs.ts';
import { packageVersion } from './commandLine/environment.ts';
import { jobCommand } from './commandLine/jobCommand.ts';
import { speakInOneLine } from './commandLine/speakInOneLine.ts';
import { bench } from './commands/bench.ts';
import { convert } from './commands/convert.ts';
import { datasets } from './commands/datasets.ts';
import { demo } from './commands/demo.ts';
import { doctor } from './commands/doctor.ts';
import { features } from './commands/features.ts';
import { jobs } from './commands/jobs.ts';
import { lm } from './commands/lm.ts';
import { modelProcessCommand } from './commands/modelProcess.ts';
import { metrics } from './commands/metrics.ts';
import { models } from './commands/models.ts';
import { plan } from './commands/plan.ts';
import { publish } from './commands/publish.ts';
import { search } from './commands/search.ts';
import { serveCommand } from './commands/serve.ts';
import { spaces } from './commands/spaces.ts';
import { stability } from './commands/stability.ts';
import { steer } from './commands/steer.ts';
import { storeCommand } from './commands/store.ts';
import { tensorflow } from './commands/tensorflow.ts';
import { workerCommand } from './commands/worker.ts';
import { workersCommand } from './commands/workers.ts';

// One line: the help is wrapped to the terminal's width.
const description =
  "Sparse autoencoders for several seeds at once: which of their features come back, and how lazy a transformer's neurons are.";

/** The command line with all its commands. */
export function lazyscopeCommand(): Command {
  const program = new Command('lazyscope')
    .description(description)
    .version(packageVersion(), '--version')
    .showHelpAfterError(false)
    .enablePositionalOptions();
  const commands = [
    demo,
    // Those of a group are added by the group.
    ...jobKinds.filter((kind) => commandWords(kind).length === 1).map((kind) => () => jobCommand(kind)),
    features,
    search,
    spaces,
    stability,
    steer,
    lm,
    models,
    datasets,
    convert,
    metrics,
    serveCommand,
    workerCommand,
    workersCommand,
    plan,
    storeCommand,
    publish,
    jobs,
    bench,
    tensorflow,
    doctor,
  ];
  for (const command of commands) program.addCommand(command());
  program.addCommand(modelProcessCommand(), { hidden: true });
  speakInOneLine(program);
  return program;
}

export async function main(args: readonly string[]): Promise<void> {
  const program = lazyscopeCommand();
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Exit status 0 means that help or the version was asked for; anything else is a mistyped command, which was named.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}
