/** `lazyscope convert`: another tool's dictionary in the layout of a third, without a store. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { TranscoderWeights } from '../../sae/formats/dictionaryWeights.ts';
import { oneOf } from '../commandLine/oneOf.ts';
import { withOutputOption } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { transpositions } from '../importing/transpositions.ts';

interface Options {
  format: string;
  from: string;
  class?: string;
  transposed?: string;
}

export function convert(): Command {
  const command = new Command('convert')
    .description('write a dictionary of another tool as a third tool has it')
    .argument('<from>', 'its folder or file')
    .argument('<to>', 'a folder that does not exist yet')
    .requiredOption('--format <format>', 'saelens, sparsify, gemma-scope or dictionary-learning')
    .option('--from <format>', 'of what is read; auto is told by the files', 'auto')
    .option('--class <class>', 'of dictionary_learning, where the files leave it open')
    .option(
      '--transposed <which>',
      'encoder, decoder, both or none: how a square matrix is stored, where the file differs',
    );
  return withOutputOption(command).action((from: string, to: string, given: Options) =>
    runCommand(command, async () => {
      const { dictionaryFormatOf, dictionaryFormats, exportDictionary, importDictionary, importedFormats } =
        await import('../../sae/formats/importDictionary.ts');
      const { hookPointFrom } = await import('../../sae/formats/hookNames.ts');
      const format = oneOf('--format', given.format, dictionaryFormats);
      const found =
        given.from === 'auto' ? dictionaryFormatOf(from) : oneOf('--from', given.from, importedFormats);
      if (existsSync(to))
        throw new LazyscopeError('conflict', `'${to}' exists: choose a folder that does not.`);
      const { kind, folded, ...weights } = await importDictionary(from, {
        format: found,
        class: given.class,
        transposed:
          given.transposed === undefined
            ? undefined
            : oneOf('--transposed', given.transposed, transpositions),
      });
      const hook = weights.hook && (hookPointFrom(weights.hook) ?? weights.hook);
      try {
        await exportDictionary(to, format, {
          ...weights,
          hook,
          ...withPlace(weights.transcoder, hookPointFrom),
        });
      } catch (error) {
        // Not there before: what was written of it would refuse the next attempt.
        await rm(to, { recursive: true, force: true });
        throw error;
      }
      const { architecture, latents, d, k, model } = weights;
      const folder = resolve(to);
      return {
        document: { from, kind, folded, architecture, latents, d, k, hook, model, format, folder },
        text: [
          `Read '${from}', which is ${kind}: ${latents} latents for activations of width ${d}.`,
          ...folded,
          `Wrote it as ${format} to ${folder}.`,
        ].join('\n'),
      };
    }),
  );
}

/** A transcoder's output under the name that hook points have here, where it is known. */
function withPlace(
  transcoder: TranscoderWeights | undefined,
  hookPointFrom: (name: string) => string | null,
): { transcoder?: TranscoderWeights } {
  if (!transcoder) return {};
  const { outputHook } = transcoder;
  return {
    transcoder: { ...transcoder, outputHook: outputHook && (hookPointFrom(outputHook) ?? outputHook) },
  };
}
