/** A trained dictionary at its hook point of a model that is in memory, for text that was never captured. */
import { existsSync } from 'node:fs';
import { parseExclusionRule, type ExclusionRule } from '../activations/exclusionRule.ts';
import { openCapture } from '../activations/openCapture.ts';
import { median, rowNorms } from '../activations/rowNorms.ts';
import { loadAutoencoder, type Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { captureKind, type CaptureManifest } from '../spec/manifests/capture.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import { isJoint } from '../spec/jointHook.ts';
import { runKind, type RunManifest } from '../spec/manifests/run.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readManifest } from '../store/readManifest.ts';

export interface AttachedDictionary {
  run: string;
  seed: number;
  hook: HookPoint;
  autoencoder: Autoencoder;
  /** Which rows the dictionary was not trained on. */
  leaves: LeftOutRule;
  /** How its capture began contexts. */
  packing: CaptureManifest['packing'];
}

/** The rows that training left out, as a rule for text that is in no capture. */
export interface LeftOutRule {
  /** Positions before this one. */
  firstPosition: number;
  /** These tokens. */
  tokens: ReadonlySet<number>;
  /** Rows longer than this. */
  norm: number;
}

/** What is known of where a dictionary comes from. */
export interface DictionaryOrigin {
  run: RunManifest;
  capture: CaptureManifest;
}

/** Throws `not_found` for a run, a seed or a capture that isn't there. */
export async function originOf(
  store: StoreLayout,
  { run, seed }: DictionaryReference,
): Promise<DictionaryOrigin> {
  if (!existsSync(store.runManifest(run)))
    throw new LazyscopeError(
      'not_found',
      `There is no run '${run}': see the list of runs for those there are.`,
    );
  const manifest = await readManifest(store.runManifest(run), runKind);
  if (!manifest.config.seeds.includes(seed))
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no seed ${seed}: it has ${manifest.config.seeds.join(', ')}.`,
    );
  if (!existsSync(store.captureManifest(manifest.config.capture)))
    throw new LazyscopeError(
      'not_found',
      `The capture '${manifest.config.capture}' of run '${run}' is gone, so its model isn't known: capture it again.`,
    );
  return {
    run: manifest,
    capture: await readManifest(store.captureManifest(manifest.config.capture), captureKind),
  };
}

/**
 * Attaches a dictionary to the model with this checksum. The caller disposes its autoencoder. Throws as `originOf` does,
 * and `bad_input` when the dictionary was trained on another model or doesn't fit.
 */
export async function attachDictionary(
  store: StoreLayout,
  { model, checksum }: { model: LanguageModel; checksum: string },
  reference: DictionaryReference,
): Promise<AttachedDictionary> {
  const { run, seed } = reference;
  const { run: manifest, capture } = await originOf(store, reference);
  if (capture.model.sha256 !== checksum)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' was trained on '${capture.model.name}', whose files differ from those of '${model.name}': choose dictionaries of one model.`,
    );
  const { hook, outputHook } = manifest.config;
  if (outputHook !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is of transcoders (from '${hook}' to '${outputHook}'), which can't be tried on a typed text yet: choose autoencoders.`,
    );
  if (isJoint(hook))
    throw new LazyscopeError(
      'bad_input',
      `Run '${run}' is of crosscoders (over '${hook}'), which can't be tried on a typed text yet: choose autoencoders.`,
    );
  const { name } = parseHookPoint(hook, model.config.layers);
  const rule = parseExclusionRule(manifest.exclusion?.rule ?? 'none');
  const leaves = await leftOutRule(store, capture, hook, rule);
  const autoencoder = await loadAutoencoder(store, run, seed);
  if (autoencoder.normalisation) {
    const { normalisation } = autoencoder;
    autoencoder.dispose();
    throw new LazyscopeError(
      'bad_input',
      `The dictionaries of run '${run}' normalise each activation (${normalisation}), so that a latent's decoder row has another size on each token: choose others.`,
    );
  }
  if (autoencoder.d !== model.width(name)) {
    const { d } = autoencoder;
    autoencoder.dispose();
    throw new LazyscopeError(
      'corrupt',
      `The dictionary of '${run}' seed ${seed} has width ${d}, its hook '${hook}' ${model.width(name)}: train it again.`,
    );
  }
  return { run, seed, hook: name, autoencoder, leaves, packing: capture.packing };
}

async function leftOutRule(
  store: StoreLayout,
  capture: CaptureManifest,
  hook: string,
  rule: ExclusionRule,
): Promise<LeftOutRule> {
  return {
    firstPosition: Math.max(capture.firstPosition, rule.position),
    tokens: new Set(rule.special ? capture.specialTokens : []),
    norm: rule.norm === null ? Infinity : rule.norm * (await medianNorm(store, capture, hook)),
  };
}

async function medianNorm(store: StoreLayout, capture: CaptureManifest, hook: string): Promise<number> {
  const known = capture.hooks.find((one) => one.hook === hook)?.norms?.median;
  if (known !== undefined) return known;
  const opened = await openCapture(store, capture.name);
  try {
    return median(rowNorms(opened, hook));
  } finally {
    opened.close();
  }
}

/** 1 for each row of x [rows, width] that the rule leaves out, where the first row stands at `position`; null for none. */
export function leftOutRows(
  { firstPosition, tokens: special, norm }: LeftOutRule,
  x: Float32Array,
  tokens: readonly number[],
  position: number,
): Uint8Array | null {
  const width = x.length / tokens.length;
  const out = new Uint8Array(tokens.length);
  for (let row = 0; row < tokens.length; row++) {
    let square = 0;
    for (let at = row * width; at < (row + 1) * width; at++) square += x[at] * x[at];
    // As sae/activations/rowNorms.ts rounds it.
    const long = Math.fround(Math.sqrt(square)) > norm;
    if (position + row < firstPosition || special.has(tokens[row]) || long) out[row] = 1;
  }
  return out.includes(1) ? out : null;
}
