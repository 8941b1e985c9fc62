/** `lazyscope export`: a dictionary in the layout of another tool. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { dictionaryReference, finishedRun, originOf, seedsOf } from '../commandLine/dictionaries.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

interface Options {
  to: string;
  format: string;
}

export function exportCommand(): Command {
  const command = new Command('export')
    .description('write a dictionary as SAELens, sparsify, Gemma Scope or dictionary_learning has it')
    .argument('<run/seed>', 'the dictionary')
    .requiredOption('--to <folder>', 'a folder that does not exist yet')
    .option('--format <format>', 'saelens, sparsify, gemma-scope or dictionary-learning', 'saelens');
  return withStoreOptions(command).action((dictionary: string, { to, format: asked }: Options) =>
    runCommand(command, async ({ store }) => {
      const { run, seed } = dictionaryReference(dictionary);
      const { readDictionary } = await import('../../sae/autoencoders/dictionaryFile.ts');
      const { dictionaryFormats, exportDictionary } = await import('../../sae/formats/importDictionary.ts');
      const format = dictionaryFormats.find((name) => name === asked);
      if (!format)
        throw new LazyscopeError(
          'bad_input',
          `--format ${asked}: choose one of ${dictionaryFormats.join(', ')}.`,
        );
      const manifest = await finishedRun(store, run);
      seedsOf(manifest, [seed]);
      if (existsSync(to))
        throw new LazyscopeError('conflict', `'${to}' exists: choose a folder that does not.`);
      const { metadata, ...weights } = await readDictionary(store.dictionary(run, seed));
      const { architecture, hook, k, prefixes } = metadata;
      const { model = metadata.model, text } = await originOf(store, manifest);
      try {
        await exportDictionary(to, format, { ...weights, architecture, hook, model, k, prefixes, text });
      } catch (error) {
        // The folder was made by this export: a part of one is useless, and would make the next attempt refuse to write there.
        await rm(to, { recursive: true, force: true });
        throw error;
      }
      const folder = resolve(to);
      return {
        document: { run, seed, format, folder },
        text: `Wrote ${run}/${seed} as ${format} to ${folder}.`,
      };
    }),
  );
}
