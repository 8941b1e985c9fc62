/** `lazyscope export`: a dictionary in the layout of another tool, or its feature index for Neuronpedia. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { NeuronpediaOptions } from '../commandLine/exportNeuronpedia.ts';
import { dictionaryReference, finishedRun, originOf, seedsOf } from '../commandLine/dictionaries.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';

interface Options extends NeuronpediaOptions {
  to: string;
  format: string;
}

const flagNames = {
  modelId: 'model-id', sourceSet: 'source-set', release: 'release', creator: 'creator', creatorId: 'creator-id',
} as const; // prettier-ignore

export function exportCommand(): Command {
  const command = new Command('export')
    .description(
      'write a dictionary as SAELens, sparsify, Gemma Scope or dictionary_learning has it, or its features for Neuronpedia',
    )
    .argument('<run/seed>', 'the dictionary')
    .requiredOption('--to <folder>', 'a folder that does not exist yet')
    .option(
      '--format <format>',
      'saelens, sparsify, gemma-scope, dictionary-learning, or neuronpedia (its features and examples, as its import takes them)',
      'saelens',
    )
    .option('--model-id <id>', "neuronpedia: what it calls the model; by default the model's name")
    .option('--source-set <id>', "neuronpedia: the source set; by default the run's name and the seed")
    .option('--release <id>', "neuronpedia: the release; by default the run's name")
    .option('--creator <name>', 'neuronpedia: who made it; by default unknown')
    .option('--creator-id <id>', 'neuronpedia: your number there; by default that of its own imports');
  return withStoreOptions(command).action((dictionary: string, { to, format: asked, ...given }: Options) =>
    runCommand(command, async (session) => {
      const { store } = session;
      const { run, seed } = dictionaryReference(dictionary);
      if (asked === 'neuronpedia') {
        const { exportNeuronpedia } = await import('../commandLine/exportNeuronpedia.ts');
        return exportNeuronpedia(session, { run, seed, to, ...given });
      }
      for (const name of ['modelId', 'sourceSet', 'release', 'creator', 'creatorId'] as const)
        if (given[name] !== undefined)
          throw new LazyscopeError(
            'bad_input',
            `--${flagNames[name]} is for --format neuronpedia: leave it out, or give that.`,
          );
      const { readDictionary } = await import('../../sae/autoencoders/dictionaryFile.ts');
      const { dictionaryFormats, exportDictionary } = await import('../../sae/formats/importDictionary.ts');
      const format = dictionaryFormats.find((name) => name === asked);
      if (!format)
        throw new LazyscopeError(
          'bad_input',
          `--format ${asked}: choose one of ${dictionaryFormats.join(', ')}, neuronpedia.`,
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
