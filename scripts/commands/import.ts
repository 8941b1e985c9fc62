/** `lazyscope import`: dictionaries of other tools as a run of the store, each file a seed. */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import type {
  DictionaryWeights,
  ImportedDictionary,
  Transposed,
} from '../../sae/formats/dictionaryWeights.ts';
import { isJoint } from '../../sae/spec/jointHook.ts';
import { settingOfK, type TrainingConfig } from '../../sae/spec/architectures/architectures.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { describeEnvironment } from '../commandLine/environment.ts';
import { oneOf } from '../commandLine/oneOf.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { pathToImport } from '../importing/pathToImport.ts';
import type { SampleFigures } from '../importing/sampleFigures.ts';
import { transpositions } from '../importing/transpositions.ts';
import { slug } from './capture.ts';

declare global {
  interface JobCommands {
    import: typeof run;
  }
}

export const run: JobWork<'import'> = async (session, given) => {
  const { store } = session;
  const paths = given.path.map((path) => pathToImport(store, path));
  const { bringInFolder } = await import('../../sae/store/remote/bringIn.ts');
  for (const path of paths) await bringInFolder(resolve(path));
  const { openCapture } = await import('../../sae/activations/openCapture.ts');
  const { writeDictionary } = await import('../../sae/autoencoders/dictionaryFile.ts');
  const { dictionaryFormatOf, importedFormats, importDictionary } =
    await import('../../sae/formats/importDictionary.ts');
  const { runKind } = await import('../../sae/spec/manifests/run.ts');
  const { writeManifest } = await import('../../sae/store/writeManifest.ts');
  const { withLock } = await import('../../sae/store/lock.ts');
  const { outputInCapture, placeInCapture } = await import('../importing/placeInCapture.ts');
  const { jointCapture } = await import('../../sae/activations/jointRows.ts');
  const { unscaledLayers } = await import('../importing/sampleFigures.ts');
  const { checkOrientation } = await import('../importing/checkOrientation.ts');
  const { explain } = await import('../importing/explain.ts');
  const format =
    given.format === 'auto' ? dictionaryFormatOf(paths[0]) : oneOf('--format', given.format, importedFormats);
  const transposed =
    given.transposed === undefined ? undefined : oneOf('--transposed', given.transposed, transpositions);
  const options = { format, class: given.class, transposed };
  const name = given.name ?? slug(basename(resolve(paths[0])));
  if (!given.explain && existsSync(store.run(name)))
    throw new LazyscopeError('conflict', `Run '${name}' exists: choose another name with --name.`);
  const weights: ImportedDictionary[] = [];
  for (const path of paths) {
    const dictionary = await importDictionary(path, options);
    weights.push(given.outputHook !== undefined ? asTranscoder(dictionary, format) : dictionary);
  }
  const [first] = weights;
  refuseMixture(weights, paths);
  const capture = await openCapture(store, given.capture);
  try {
    const hooks = weights.map((dictionary, seed) => placeInCapture(paths[seed], dictionary, capture, given));
    const [hook] = hooks;
    const odd = hooks.findIndex((each) => each !== hook);
    if (odd > 0)
      throw new LazyscopeError(
        'bad_input',
        `'${paths[odd]}' is of '${hooks[odd]}' and '${paths[0]}' of '${hook}': import them as two runs.`,
      );
    const outputs = weights.map((dictionary, seed) =>
      outputInCapture(paths[seed], dictionary, capture, { outputHook: given.outputHook, read: hook }),
    );
    const [outputHook] = outputs;
    const otherOutput = outputs.findIndex((each) => each !== outputHook);
    if (otherOutput > 0)
      throw new LazyscopeError(
        'bad_input',
        `'${paths[otherOutput]}' predicts '${outputs[otherOutput]}' and '${paths[0]}' '${outputHook}': import them as two runs.`,
      );
    const layers = first.crosscoder && unscaledLayers(hook, first.crosscoder);
    const read = layers && isJoint(hook) ? jointCapture(capture, hook, layers) : capture;
    const backend = await session.startBackend();
    const figures: SampleFigures[] = [];
    for (const [seed, dictionary] of weights.entries()) {
      const path = paths[seed];
      const readAs = (which: Transposed) => importDictionary(path, { ...options, transposed: which });
      figures.push(
        await checkOrientation({ dictionary, path, asked: transposed, readAs }, read, hook, outputHook),
      );
    }
    const { architecture, latents, d } = first;
    const place = { architecture, hook, capture: given.capture };
    const found = weights.map((dictionary, seed) => ({
      path: paths[seed],
      kind: dictionary.kind,
      trainedAt: dictionary.hook,
      trainedOn: dictionary.model,
      folded: dictionary.folded,
      ...figures[seed],
    }));
    const explanation = weights.flatMap((dictionary, seed) =>
      explain(paths[seed], dictionary, { ...place, output: outputHook, figures: figures[seed] }),
    );
    const what = {
      format,
      architecture,
      latents,
      d,
      k: first.k,
      hook,
      ...(outputHook !== undefined && { outputHook }),
      found,
    };
    if (given.explain) return { document: what, text: explanation.join('\n') };
    for (const line of explanation) session.say(line);
    const config = await unknownTraining(first, {
      capture: given.capture,
      hook,
      ...(outputHook !== undefined && { outputHook }),
      seeds: paths.map((_, seed) => seed),
    });
    const now = new Date().toISOString();
    const manifest: RunManifest = {
      version: 1,
      name,
      createdAt: now,
      finishedAt: now,
      status: 'complete',
      config,
      d,
      ...(layers && { layers }),
      scale: 1,
      environment: describeEnvironment(backend),
      step: 1,
      totalSteps: 1,
      seconds: 0,
      tokensPerSecond: 0,
      origin: { format, files: paths.map((path) => basename(resolve(path))) },
    };
    await withLock(store.run(name), `import run ${name}`, async () => {
      for (const [seed, dictionary] of weights.entries()) {
        const { wEnc, bEnc, wDec, bDec, threshold, k, prefixes, pursuit, normalisation, architecture } =
          dictionary;
        await writeDictionary(
          store.dictionary(name, seed),
          { wEnc, bEnc, wDec, bDec, threshold, wSkip: dictionary.transcoder?.wSkip },
          {
            architecture,
            hook,
            outputHook,
            model: capture.manifest.model.name,
            run: name,
            seed,
            scale: 1,
            k,
            prefixes,
            pursuit,
            layers,
            normalisation,
          },
        );
      }
      await writeManifest(store.runManifest(name), runKind, manifest);
    });
    const document = { name, ...what, seeds: config.seeds };
    return {
      document,
      text: `Imported ${paths.length} ${first.architecture} ${paths.length === 1 ? 'dictionary' : 'dictionaries'} of ${first.latents} latents as run '${name}'.`,
    };
  } finally {
    capture.close();
  }
};

/**
 * A file of Gemma Scope's doesn't say that it is of a transcoder, and is of the same form. Elsewhere the file says it, and what an autoencoder's
 * file holds would not compute the same.
 */
function asTranscoder(dictionary: ImportedDictionary, format: string): ImportedDictionary {
  if (dictionary.transcoder || format !== 'gemma-scope') return dictionary;
  return {
    ...dictionary,
    kind: `${dictionary.kind} transcoder`,
    transcoder: { outputHook: null, wSkip: null },
  };
}

function refuseMixture(weights: readonly DictionaryWeights[], paths: readonly string[]): void {
  const shape = ({
    architecture,
    latents,
    d,
    k,
    prefixes,
    transcoder,
    crosscoder,
    bDec,
  }: DictionaryWeights) =>
    `${crosscoder ? `crosscoder over ${crosscoder.widths.join(' + ')} of ` : ''}${transcoder ? `transcoder${transcoder.wSkip ? ' with a skip connection' : ''} to ${bDec.length} of ` : ''}${architecture}, ${latents} × ${d}${k === null ? '' : `, k ${k}`}${prefixes ? `, prefixes ${prefixes.join(' ')}` : ''}`;
  const odd = weights.findIndex((each) => shape(each) !== shape(weights[0]));
  if (odd > 0)
    throw new LazyscopeError(
      'bad_input',
      `'${paths[odd]}' (${shape(weights[odd])}) and '${paths[0]}' (${shape(weights[0])}) can't be seeds of one run: import them as two.`,
    );
}

/** A configuration for the manifest. How the dictionary was trained is not known, and the manifest's `origin` says so. */
async function unknownTraining(
  { architecture, d, latents, k, prefixes, pursuit }: DictionaryWeights,
  { outputHook, ...place }: { capture: string; hook: string; outputHook?: string; seeds: number[] },
): Promise<TrainingConfig> {
  const { defaultTrainingConfig } = await import('../../sae/training/defaults.ts');
  const common = { ...place, d, width: latents, tokens: 1, batchSize: 1 };
  const settingK = settingOfK(architecture);
  const config = defaultTrainingConfig(architecture, {
    ...common,
    ...(settingK && { [settingK]: k ?? 1 }),
    ...(prefixes && { prefixes: [...prefixes] }),
    ...pursuit,
  });
  // Training refuses to predict what is read, as autoencoders with a skip connection do.
  return outputHook === undefined ? config : { ...config, outputHook };
}
