/**
 * The commands that are jobs too. Their options are described in sae/spec/jobs; their work is the file of the kind's name
 * in scripts/commands, which is loaded when the command runs. So a new kind needs no line here: its file exports `run` and
 * says so in `JobCommands`.
 */
import { Command } from 'commander';
import { flagOf } from '../../sae/spec/jobs/job.ts';
import { commandWords, describedJob, type CommandOptionsOf, type JobKind } from '../../sae/spec/jobs/jobs.ts';
import { commanderArgument, commanderOption } from './commanderOption.ts';
import { withCommonOptions, withStoreOptions } from './options.ts';
import { runCommand, type Outcome, type Session } from './runCommand.ts';

/** What a command does with its options. */
export type JobWork<Kind extends JobKind> = (
  session: Session,
  given: CommandOptionsOf<Kind>,
) => Promise<Outcome>;

declare global {
  /**
   * The work of each kind, by its name: every file of a kind adds its own. Global, because an incremental type check looks
   * again at this file when a new one adds to what is global, and not when it adds to a module.
   */
  interface JobCommands {}
}

type OneEach = { [Kind in JobKind]: JobWork<Kind> };
/** Does not compile while the file of a kind is missing, or does not take what the kind's description gives it. */
type AnyWork<Works extends OneEach = JobCommands> = Works[JobKind];

async function workOf(kind: JobKind): Promise<JobWork<JobKind>> {
  const { run }: { run: AnyWork } = await import(`../commands/${kind}.ts`);
  return run as JobWork<JobKind>;
}

export function jobCommand(kind: JobKind): Command {
  const { summary, options, computes } = describedJob(kind);
  const command = new Command(commandWords(kind).at(-1)).description(summary);
  for (const [name, option] of Object.entries(options))
    if (option.argument) command.addArgument(commanderArgument(name, option));
    else command.addOption(commanderOption(name, option));
  const complete = computes === false ? withStoreOptions(command) : withCommonOptions(command);
  return complete.action(() =>
    runCommand(command, async (session) => (await workOf(kind))(session, givenTo(kind, command))),
  );
}

/** What the work of a kind is given when some of its options are given: those, and the defaults of the others. */
export function withDefaults<Kind extends JobKind>(
  kind: Kind,
  given: Partial<CommandOptionsOf<Kind>>,
): CommandOptionsOf<Kind> {
  const defaults = Object.entries(describedJob(kind).options).flatMap(([name, option]) =>
    option.default === undefined ? [] : [[name, option.default] as const],
  );
  return { ...Object.fromEntries(defaults), ...given } as CommandOptionsOf<Kind>;
}

/** The options that were given, by their names in the description; options that were not given have no entry. */
export function givenTo<Kind extends JobKind>(kind: Kind, command: Command): CommandOptionsOf<Kind> {
  const { options } = describedJob(kind);
  const flags = command.opts<Record<string, unknown>>();
  const positional = Object.keys(options).filter((name) => options[name].argument);
  const values = Object.entries(options).map(([name, option]): [string, unknown] =>
    option.argument
      ? [name, command.processedArgs[positional.indexOf(name)]]
      : [name, flags[camelCase(flagOf(name, option))]],
  );
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as CommandOptionsOf<Kind>;
}

/** The name under which commander keeps the value of a flag. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
