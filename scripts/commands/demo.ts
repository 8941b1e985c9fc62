/**
 * `lazyscope demo`: the whole job on a real model and a real text. What an earlier run finished is recognised
 * and not done again, so that the command can be stopped and repeated.
 */
import { Command } from 'commander';
import { positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { withServeOptions } from './serve.ts';
import type { DemoOptions } from '../demo/runDemo.ts';

const bundled = { model: 'lazyscope-demo-relu', otherModel: 'lazyscope-demo-gelu' };

export function demo(): Command {
  const command = new Command('demo')
    .description(
      'do the whole job on a bundled model: capture, train, evaluate, index, compare, sparsity, serve',
    )
    .option('--model <name|folder>', `the model to look into (default: ${bundled.model})`)
    .option(
      '--other-model <name|folder>',
      `a second one for the sparsity report (default: ${bundled.otherModel})`,
    )
    .option('--text <file|dataset>', 'the text to look at it with', 'dataset:moby-dick')
    .option('--tokens <n>', 'tokens to capture; 640000 by default, fewer for large models', positiveInteger)
    .option('--training-tokens <n>', 'tokens each dictionary is trained on', positiveInteger)
    .option('--fresh', 'forget what an earlier demo made and start over')
    .option('--no-serve', 'do not serve the explorer in the end');
  return withCommonOptions(withServeOptions(command)).action((given: DemoOptions) =>
    runCommand(command, async (session) => {
      const { runDemo } = await import('../demo/runDemo.ts');
      return runDemo(session, given, bundled);
    }),
  );
}
