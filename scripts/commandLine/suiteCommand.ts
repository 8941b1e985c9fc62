/** Options of the long suites that are npm scripts, read and refused as the command line reads its own. */
import { Command, CommanderError } from 'commander';
import { oneLine } from './oneLine.ts';
import { isLazyscopeError } from '../../sae/errors.ts';
import { speakInOneLine } from './speakInOneLine.ts';

/** A command whose usage is that of an npm script, `test:fuzz` for example. */
export function suiteCommand(script: string, description: string): Command {
  return new Command(`npm run ${script} --`).description(description).showHelpAfterError(false);
}

/**
 * Reads the arguments and runs the suite, whose promise says whether all was well. Returns the exit status: 0 where it was or help
 * was asked for, 1 where something failed, 2 for an option that is unknown or has a wrong value, which one line names.
 */
export async function runSuite<Options extends object>(
  command: Command,
  args: readonly string[],
  run: (options: Options) => Promise<boolean>,
): Promise<number> {
  const script = command.name().split(' ')[2];
  speakInOneLine(command, script);
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  try {
    return (await run(command.opts<Options>())) ? 0 : 1;
  } catch (error) {
    if (!isLazyscopeError(error)) throw error;
    process.stderr.write(`${script}: ${oneLine(error.message)}\n`);
    return 2;
  }
}
