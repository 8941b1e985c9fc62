/** The dictionaries a command is asked to work on. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import type { TrainingText } from '../../sae/formats/dictionaryWeights.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { DictionaryReference } from '../../sae/spec/manifests/comparison.ts';
import { loadModelOfCapture } from './models.ts';

/** Parses `RUN/SEED`. */
export function dictionaryReference(text: string): DictionaryReference {
  const match = /^([^/]+)\/(\d+)$/.exec(text);
  if (!match)
    throw new LazyscopeError(
      'bad_input',
      `'${text}' names no dictionary: give RUN/SEED, for example 'demo-topk/0'.`,
    );
  return { run: match[1], seed: Number(match[2]) };
}

/** The manifest of a finished run; throws for one that is not finished. */
export async function finishedRun(store: StoreLayout, run: string): Promise<RunManifest> {
  const seed = /^[^/]+\/(\d+)$/.exec(run)?.[1];
  if (seed !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `'${run}' is one dictionary, and a run is needed: leave out '/${seed}' (for one seed give --seeds ${seed}; to compare it, name a second dictionary beside it).`,
    );
  if (!existsSync(store.runManifest(run)))
    throw new LazyscopeError(
      'not_found',
      `There is no run '${run}' in '${store.root}': train it first, or name another data folder with --data.`,
    );
  const { readManifest, runKind } = await manifests();
  const manifest = await readManifest(store.runManifest(run), runKind);
  if (manifest.status !== 'complete')
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is not finished (step ${manifest.step} of ${manifest.totalSteps}): go on with 'lazyscope train … --resume'.`,
    );
  return manifest;
}

/** The seeds asked for, or all; each must be one of the run's. */
export function seedsOf({ name, config }: RunManifest, asked: readonly number[] | undefined): number[] {
  const unknown = asked?.find((seed) => !config.seeds.includes(seed));
  if (unknown !== undefined)
    throw new LazyscopeError(
      'not_found',
      `Run '${name}' has no seed ${unknown}: it has ${config.seeds.join(', ')}.`,
    );
  return asked ? [...asked] : [...config.seeds];
}

/** What is known of where a run comes from: the model by its own name rather than its folder's, and the text. */
export async function originOf(
  store: StoreLayout,
  { config }: RunManifest,
): Promise<{ model?: string; text?: TrainingText }> {
  if (!existsSync(store.captureManifest(config.capture))) return {};
  const { readManifest, captureKind } = await manifests();
  const { model, text, contextLength, packing, firstPosition } = await readManifest(
    store.captureManifest(config.capture),
    captureKind,
  );
  return {
    model: (await publishedName(model.folder)) ?? model.name,
    text: {
      dataset: text.source,
      contextLength,
      separatorFirst: packing === undefined || (packing.before === 'contexts' && packing.separator !== null),
      firstPosition,
    },
  };
}

/** The name under which the model of a folder was published, if its configuration has one and not a path. */
async function publishedName(folder: string): Promise<string | undefined> {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return undefined;
  const config: unknown = JSON.parse(await readFile(path, 'utf8'));
  const name =
    typeof config === 'object' && config !== null && '_name_or_path' in config ? config['_name_or_path'] : '';
  return typeof name === 'string' && /^\w[\w.-]*(\/[\w.-]+)?$/.test(name) ? name : undefined;
}

/** The model whose activations a run was trained on; null where it isn't known. */
export async function modelOfRun(store: StoreLayout, run: RunManifest): Promise<LanguageModel | null> {
  const { readManifest, captureKind } = await manifests();
  const capture = await readManifest(store.captureManifest(run.config.capture), captureKind);
  return loadModelOfCapture(store, capture);
}

/** The same. Throws `bad_input` where it isn't known; `what` needs it. */
export async function knownModelOfRun(
  store: StoreLayout,
  run: RunManifest,
  what: string,
): Promise<LanguageModel> {
  const model = await modelOfRun(store, run);
  if (model) return model;
  throw new LazyscopeError(
    'bad_input',
    `${what} needs the language model, and capture '${run.config.capture}' of run '${run.name}' was made of activations without one: capture them with --model.`,
  );
}

/** Imports the schemas only when a command runs, because loading them would slow `--help` down. */
async function manifests() {
  const [capture, run, { readManifest }] = await Promise.all([
    import('../../sae/spec/manifests/capture.ts'),
    import('../../sae/spec/manifests/run.ts'),
    import('../../sae/store/readManifest.ts'),
  ]);
  return { ...capture, ...run, readManifest };
}
