/** `lazyscope model-process`: what `lazyscope serve` starts to keep a model in memory; people have no use for it. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

export function modelProcessCommand(): Command {
  const command = new Command('model-process').description('answers the questions of a server');
  return withCommonOptions(command).action(() =>
    runCommand(command, async ({ store, startBackend, signal }) => {
      if (!process.connected)
        throw new LazyscopeError(
          'bad_input',
          "This is for 'lazyscope serve' to start: run 'lazyscope serve'.",
        );
      const { modelProcess } = await import('../../server/playground/modelProcess.ts');
      return { document: null, text: '', stay: () => modelProcess({ store, startBackend, signal }) };
    }),
  );
}
