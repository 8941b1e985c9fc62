/** `lazyscope capture`: a model's activations on a text, to shards on the disk. */
import { Command } from 'commander';
import {
  oneOf,
  positiveInteger,
  repeated,
  wholeNumber,
  fraction,
  withCommonOptions,
} from '../commandLine/options.ts';
import { percent } from '../commandLine/table.ts';
import { loadModel } from '../commandLine/models.ts';
import { runCommand } from '../commandLine/runCommand.ts';

interface Options {
  model: string;
  text: string;
  hook: string[];
  name?: string;
  contextLength: number;
  maxTokens?: number;
  heldOut: number;
  firstPosition: number;
  dtype: 'float16' | 'float32';
}

export function captureCommand(): Command {
  const command = new Command('capture')
    .description("capture a language model's activations on a text")
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .requiredOption('--text <file|dataset>', 'a UTF-8 file, dataset:moby-dick or dataset:sotu')
    .requiredOption(
      '--hook <hook>',
      'a hook point, for example blocks.2.hook_resid_post; may be repeated',
      repeated,
    )
    .option('--name <name>', 'of the capture; by default model and text')
    .option('--context-length <tokens>', 'tokens a context', positiveInteger, 128)
    .option('--max-tokens <n>', 'stop after this many tokens', positiveInteger)
    .option('--held-out <share>', 'share of the contexts kept for evaluation', fraction, 0.1)
    .option('--first-position <n>', 'leave out activations before this position', wholeNumber, 1)
    .option('--dtype <type>', 'float16 or float32', oneOf(['float16', 'float32']), 'float16' as const);
  return withCommonOptions(command).action((given: Options) =>
    runCommand(command, async (session) => {
      const { capture } = await import('../../sae/activations/capture.ts');
      const { readText } = await import('../../sae/tokens/readText.ts');
      const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
      const text = await readText(given.text);
      const backend = await session.startBackend();
      const model = await loadModel(session.store, given.model);
      const started = performance.now();
      const manifest = await capture({
        store: session.store,
        name: given.name ?? slug(`${model.name}-${text.source}`),
        model,
        text,
        hooks: given.hook.map((hook) => parseHookPoint(hook, model.config.layers).name),
        contextLength: given.contextLength,
        maxTokens: given.maxTokens,
        heldOutFraction: given.heldOut,
        firstPosition: given.firstPosition,
        dtype: given.dtype,
        report: session.report,
        signal: session.signal,
      });
      const tokens = manifest.contexts * manifest.contextLength;
      const seconds = (performance.now() - started) / 1000;
      const document = {
        name: manifest.name,
        model: manifest.model.name,
        text: manifest.text.source,
        tokens,
        heldOutTokens: manifest.heldOutContexts * manifest.contextLength,
        hooks: manifest.hooks.map(({ hook, width }) => ({ hook, width })),
        backend: backend.name,
        seconds,
      };
      return {
        document,
        text: `Captured ${tokens} tokens of ${text.source} at ${manifest.hooks.map((h) => h.hook).join(', ')} as '${manifest.name}' (${percent(manifest.heldOutContexts / Math.max(1, manifest.contexts))} held out) in ${seconds.toFixed(1)} s.`,
      };
    }),
  );
}

/** A name out of any words. */
export function slug(words: string): string {
  return words
    .replace(/^dataset:/, '')
    .replaceAll('dataset:', '')
    .replace(/\.\w{1,5}$/, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
}
