/** `lazyscope export --format neuronpedia`: the feature index of a dictionary as a folder for Neuronpedia's import. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { modelPlace } from '../../sae/models/modelPlace.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import { bringIn } from '../../sae/store/remote/bringIn.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { finishedRun, originOf, seedsOf } from './dictionaries.ts';
import { modelFolder } from './models.ts';
import type { Outcome, Session } from './runCommand.ts';

export interface NeuronpediaOptions {
  modelId?: string | undefined;
  sourceSet?: string | undefined;
  release?: string | undefined;
  creator?: string | undefined;
  creatorId?: string | undefined;
}

/** Under which SAEDashboard imports where nobody is named. */
const usualCreator = 'clkht01d40000jv08hvalcvly';

/** Throws `not_found` without a feature index, `conflict` where `to` exists, `bad_input` for a name that can't be one and a capture without tokens. */
export async function exportNeuronpedia(
  { store, report, signal }: Session,
  { run, seed, to, ...given }: NeuronpediaOptions & { run: string; seed: number; to: string },
): Promise<Outcome> {
  const { writeNeuronpediaBundle } = await import('../../sae/features/neuronpediaBundle.ts');
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const { captureKind, hasModel } = await import('../../sae/spec/manifests/capture.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const manifest = await finishedRun(store, run);
  seedsOf(manifest, [seed]);
  if (existsSync(to)) throw new LazyscopeError('conflict', `'${to}' exists: choose a folder that does not.`);
  if (manifest.layers)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is of crosscoders, and Neuronpedia has a layer for each latent: export a run of autoencoders.`,
    );
  if (!existsSync(store.features(run, seed)) || !existsSync(store.examples(run, seed)))
    throw new LazyscopeError(
      'not_found',
      `'${run}/${seed}' has no feature index: make it with 'lazyscope index ${run} --seeds ${seed}'.`,
    );
  const capture = await readManifest(store.captureManifest(manifest.config.capture), captureKind);
  if (!hasModel(capture))
    throw new LazyscopeError(
      'bad_input',
      `Neuronpedia shows the texts of tokens, and capture '${capture.name}' was made of activations without a model: capture them with --model.`,
    );
  const { model = capture.model.name } = await originOf(store, manifest);
  const { config } = manifest;
  const names = {
    'model-id': given.modelId ?? (model.split('/').at(-1) ?? model).toLowerCase(),
    'source-set': given.sourceSet ?? `${run}-${seed}`.toLowerCase(),
    release: given.release ?? run.toLowerCase(),
  };
  for (const [flag, name] of Object.entries(names))
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(name))
      throw new LazyscopeError(
        'bad_input',
        `'${name}' can't be part of an address: give --${flag} of small letters, digits, '.', '-' and '_'.`,
      );
  try {
    const source = await writeNeuronpediaBundle({
      folder: to,
      features: store.features(run, seed),
      examples: store.examples(run, seed),
      latents: config.width,
      vocabulary: await vocabularyOfCapture(store, capture),
      model: names['model-id'],
      layer: parseHookPoint(config.hook).layer ?? 0,
      sourceSet: names['source-set'],
      release: names.release,
      description: `${config.architecture}, ${config.width} latents at ${config.hook}`,
      creator: { id: given.creatorId ?? usualCreator, name: given.creator ?? 'unknown' },
      text: {
        name: capture.text.source,
        contexts: capture.heldOutContexts,
        contextLength: capture.contextLength,
      },
      createdAt: manifest.finishedAt ?? manifest.createdAt,
      report,
      signal,
    });
    const folder = resolve(source);
    return {
      document: { run, seed, format: 'neuronpedia', folder, ...names },
      text: `Wrote the features of ${run}/${seed} for Neuronpedia to ${folder}.`,
    };
  } catch (error) {
    // The folder was made by this export: a part of one is useless.
    await rm(to, { recursive: true, force: true });
    throw error;
  }
}

/** As the store has it, else as the model has. */
async function vocabularyOfCapture(store: StoreLayout, { model }: CaptureManifest) {
  const { readVocabulary, vocabularyOf } = await import('../../sae/tokens/vocabulary.ts');
  const stored = store.vocabulary(model.sha256);
  if (existsSync(stored)) return readVocabulary(stored);
  const { openModelFiles } = await import('../../sae/models/openModelFiles.ts');
  const folder = modelFolder(store, modelPlace(store, model) ?? model.name);
  await bringIn(folder);
  return vocabularyOf(openModelFiles(folder).tokenizer());
}
