/** `lazyscope lm`: small language models of one's own: train (lmTrain.ts) and generate. */
import { Command } from 'commander';
import { jobCommand } from '../commandLine/jobCommand.ts';
import { loadModel } from '../commandLine/models.ts';
import {
  fraction,
  nonNegativeNumber,
  positiveInteger,
  wholeNumber,
  withCommonOptions,
} from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

export function lm(): Command {
  return new Command('lm')
    .description('train a small language model, or let one write')
    .addCommand(jobCommand('lmTrain'))
    .addCommand(generateText());
}

interface GenerateOptions {
  model: string;
  replaceActivation?: string;
  prompt: string;
  maxNewTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  seed?: number;
}

function generateText(): Command {
  const command = new Command('generate')
    .description('continue a prompt')
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .requiredOption('--prompt <text>', 'what the text begins with')
    .option('--replace-activation <name>', 'run it with another activation function, to see what breaks')
    .option('--max-new-tokens <n>', 'tokens to write', positiveInteger, 100)
    .option('--temperature <t>', '0 takes the likeliest token', nonNegativeNumber, 0)
    .option('--top-k <n>', 'draw from the n likeliest only', positiveInteger)
    .option('--top-p <share>', 'draw from the likeliest that make up this share', fraction)
    .option('--seed <n>', 'of the draws', wholeNumber);
  return withCommonOptions(command).action((given: GenerateOptions) =>
    runCommand(command, async (session) => {
      const { generate } = await import('../../sae/models/generate.ts');
      await session.startBackend();
      const model = await loadModel(session.store, given.model, given);
      const { model: _model, replaceActivation: _, prompt, ...options } = given;
      const started = performance.now();
      const { maxNewTokens: total } = given;
      let done = 0;
      const generation = await generate(model, prompt, {
        ...options,
        signal: session.signal,
        onToken: () => session.report({ stage: 'generate', done: ++done, total, unit: 'tokens' }),
      });
      const continuation = generation.text.startsWith(prompt)
        ? generation.text.slice(prompt.length)
        : generation.text;
      const document = {
        model: model.name,
        prompt,
        text: continuation,
        tokens: generation.tokens.length - generation.promptTokens,
        stopped: generation.stopped,
        seconds: (performance.now() - started) / 1000,
      };
      return { document, text: generation.text };
    }),
  );
}
