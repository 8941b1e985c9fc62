/** `lazyscope export`: a dictionary in the layout of another tool, or its feature index for Neuronpedia. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { exportDictionary as description } from '../../sae/spec/jobs/export.ts';
import { flagOf } from '../../sae/spec/jobs/job.ts';
import { dictionaryReference, finishedRun, originOf, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { oneOf } from '../commandLine/oneOf.ts';
import { removeStored } from '../../sae/store/remote/bringIn.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

declare global {
  interface JobCommands {
    export: typeof run;
  }
}

const ofNeuronpedia = ['modelId', 'sourceSet', 'release', 'creator', 'creatorId'] as const;

export const run: JobWork<'export'> = async (session, { dictionary, to, name, format: asked, ...given }) => {
  const { store } = session;
  const { run: runName, seed } = dictionaryReference(dictionary);
  const { readDictionary } = await import('../../sae/autoencoders/dictionaryFile.ts');
  const { dictionaryFormats, exportDictionary } = await import('../../sae/formats/importDictionary.ts');
  const { withoutScales } = await import('../../sae/formats/crosscoderWeights.ts');
  const format = oneOf('--format', asked, [...dictionaryFormats, 'neuronpedia'] as const);
  const manifest = await finishedRun(store, runName);
  seedsOf(manifest, [seed]);
  if (to !== undefined && name !== undefined)
    throw new LazyscopeError('bad_input', '--to and --name both say where: give one of them.');
  const folder = resolve(to ?? store.exported(name ?? `${runName}-${seed}-${format}`));
  if (existsSync(folder))
    throw new LazyscopeError('conflict', `'${to ?? folder}' exists: choose a folder that does not.`);
  const useless = ofNeuronpedia.find((option) => given[option] !== undefined);
  if (useless !== undefined && format !== 'neuronpedia')
    throw new LazyscopeError(
      'bad_input',
      `--${flagOf(useless, description.options[useless])} is for --format neuronpedia: leave it out, or give that.`,
    );
  if (format === 'neuronpedia') {
    const { exportNeuronpedia } = await import('../commandLine/exportNeuronpedia.ts');
    return exportNeuronpedia(session, { run: runName, seed, to: folder, ...given });
  }
  const { metadata, ...weights } = await readDictionary(store.dictionary(runName, seed));
  const { architecture, hook, outputHook, k, prefixes, pursuit, normalisation, layers } = metadata;
  const { model = metadata.model, text } = await originOf(store, manifest);
  try {
    if (to === undefined) makeFolder(dirname(folder));
    await exportDictionary(to ?? folder, format, {
      ...(layers ? withoutScales(weights, layers) : weights),
      ...(layers && { crosscoder: { widths: layers.map(({ width }) => width) } }),
      ...(outputHook !== undefined && { transcoder: { outputHook, wSkip: weights.wSkip ?? null } }),
      architecture,
      hook,
      model,
      k,
      prefixes,
      pursuit,
      normalisation,
      text,
    });
  } catch (error) {
    // The folder was made by this export: a part of one is useless, and would make the next attempt refuse to write there.
    await removeStored(folder);
    throw error;
  }
  return {
    document: { run: runName, seed, format, folder },
    text: `Wrote ${runName}/${seed} as ${format} to ${folder}.`,
  };
};
