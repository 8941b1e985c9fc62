/** Opens a trained dictionary for evaluation: its run, its capture and its weights, with a check that the given model fits them. */
import { loadAutoencoder, type Autoencoder } from '../autoencoders/autoencoder.ts';
import { parseExclusionRule, type ExclusionRule } from '../activations/exclusionRule.ts';
import { modelChecksum } from '../models/modelChecksum.ts';
import { openCaptureOf } from '../activations/jointRows.ts';
import type { Capture } from '../activations/openCapture.ts';
import { selectFetchedRows, type SelectedRows } from '../activations/selectRows.ts';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { StoreLayout } from '../store/layout.ts';
import { hasModel } from '../spec/manifests/capture.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { isJoint, type JointHook } from '../spec/jointHook.ts';
import { runKind } from '../spec/manifests/run.ts';
import { readManifest } from '../store/readManifest.ts';

export interface OpenedDictionary {
  capture: Capture;
  /** The capture without the rows that are left out. */
  rows: SelectedRows;
  /** Of a crosscoder the joint name of all that it reads, which `capture` and `rows` know. */
  hook: HookPoint | JointHook;
  /** What is predicted: `hook`, unless the dictionary is a transcoder. */
  output: HookPoint | JointHook;
  autoencoder: Autoencoder;
  dispose(): void;
}

/**
 * `exclude` says which rows are left out of figures; by default those that training left out. With `fetch` 'as read', the caller makes rows of a store
 * that lies elsewhere ready before it reads them.
 *
 * Opens seed `seed` of run `run`. Throws `not_found` for a run, seed or capture that isn't there, and `bad_input` when the capture was made with
 * another model or holds nothing out. `model` is null for a capture of activations whose model isn't known.
 */
export async function openDictionary(
  store: StoreLayout,
  run: string,
  seed: number,
  model: LanguageModel | null,
  exclude?: ExclusionRule,
  fetch?: 'all' | 'as read',
): Promise<OpenedDictionary> {
  const manifest = await readManifest(store.runManifest(run), runKind);
  const { config, exclusion } = manifest;
  const capture = await openCaptureOf(store, manifest, fetch && { fetch });
  if (model) await checkTrainedOn(model, run, capture);
  if (capture.heldOutRows === 0)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${config.capture}' holds nothing out to evaluate on: capture with a held-out fraction.`,
    );
  const rule = exclude ?? parseExclusionRule(exclusion?.rule ?? 'none');
  const rows = await selectFetchedRows(capture, hooksOf(config), rule);
  const autoencoder = await loadAutoencoder(store, run, seed);
  const width = capture.width(config.hook);
  const outputWidth = capture.width(config.outputHook ?? config.hook);
  if (autoencoder.outputWidth !== outputWidth) {
    autoencoder.dispose();
    throw new LazyscopeError(
      'corrupt',
      `The dictionary of '${run}' seed ${seed} predicts width ${autoencoder.outputWidth}, its hook '${config.outputHook ?? config.hook}' has ${outputWidth}: train it again.`,
    );
  }
  if (autoencoder.d !== width) {
    autoencoder.dispose();
    throw new LazyscopeError(
      'corrupt',
      `The dictionary of '${run}' seed ${seed} has width ${autoencoder.d}, its hook '${config.hook}' ${width}: train it again.`,
    );
  }
  return {
    capture,
    rows,
    hook: hookNamed(config.hook),
    output: hookNamed(config.outputHook ?? config.hook),
    autoencoder,
    dispose() {
      autoencoder.dispose();
      capture.close();
    },
  };
}

const hookNamed = (name: string) => (isJoint(name) ? name : parseHookPoint(name).name);

/** The hook point of a dictionary that has one. Throws `bad_input` for a crosscoder's. */
export function oneHook(hook: HookPoint | JointHook, run: string): HookPoint {
  if (!isJoint(hook)) return hook;
  throw new LazyscopeError(
    'bad_input',
    `Run '${run}' is of crosscoders, which read '${hook}' at once, and this is measured at one hook point: choose a run of autoencoders.`,
  );
}

/** Throws `bad_input` when the capture that a run was trained on was made with another model. */
export async function checkTrainedOn(model: LanguageModel, run: string, capture: Capture): Promise<void> {
  if (!hasModel(capture.manifest))
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' was trained on '${capture.manifest.name}', activations of a model that isn't known: capture them with --model.`,
    );
  if (capture.manifest.model.sha256 !== (await modelChecksum(model.folder)))
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' was trained on '${capture.manifest.model.name}', whose files differ from '${model.folder}': give that model.`,
    );
}
