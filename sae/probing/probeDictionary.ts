/** Measures one dictionary by probes (METHODS.md §13). */
import { existsSync } from 'node:fs';
import { modelChecksum } from '../models/modelChecksum.ts';
import { LazyscopeError } from '../errors.ts';
import { oneHook, openDictionary } from '../evaluation/openDictionary.ts';
import { attachDictionary } from '../inference/attachedDictionary.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { probesKind, type Probes } from '../spec/manifests/probes.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readManifest } from '../store/readManifest.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { tokenTextOrNull } from '../tokens/vocabulary.ts';
import { measureAbsorption } from './absorption.ts';
import type { ClassTexts } from './drawDocuments.ts';
import type { PropertyTexts } from './drawProperties.ts';
import { firstLetterWords } from './firstLetterWords.ts';
import { poolDocuments } from './poolDocuments.ts';
import { sparseProbing } from './sparseProbing.ts';
import { spuriousRemoval } from './spuriousCorrelation.ts';
import { targetedPerturbation } from './targetedPerturbation.ts';

export interface ProbeOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  model: LanguageModel;
  /** Documents of known classes, and where they are from; without them classification is left as it was. */
  documents?: { classes: readonly ClassTexts[]; text: string; labelField: string } | undefined;
  /** Documents of two properties at once; without them removal of a spurious correlation is left as it was. */
  properties?: (PropertyTexts & { text: string; labelField: string; spuriousField: string }) | undefined;
  /** Tokens of each document at most; default 128. */
  contextLength?: number;
  /** Numbers of latents that a probe is given; default 1, 2 and 5. */
  ks?: readonly number[] | undefined;
  /** Numbers of latents that are set to 0; default 2, 5, 10, 20, 50, 100 and 500. Those above the dictionary's width are left out. */
  ablate?: readonly number[] | undefined;
  /** Different words that absorption is measured on; default 5,000, and 0 leaves it as it was. */
  words?: number;
  report?: Report;
  signal?: AbortSignal;
}

/**
 * Writes runs/<run>/seed-<seed>/probes.json. Throws as `openDictionary` does, `bad_input` for a transcoder, whose decoder is of other activations
 * than its probes, and `cancelled` when the signal is aborted.
 */
export async function probeDictionary(options: ProbeOptions): Promise<Probes> {
  const { store, run, seed } = options;
  const path = store.probes(run, seed);
  const earlier = existsSync(path) ? await readManifest(path, probesKind) : null;
  const classification = (await classify(options)) ?? earlier?.classification ?? null;
  const spurious = (await freed(options)) ?? earlier?.spurious ?? null;
  const absorption = (await absorbed(options)) ?? earlier?.absorption ?? null;
  const probes: Probes = { version: 1, run, seed, classification, absorption, spurious };
  await writeManifest(path, probesKind, probes);
  return probes;
}

async function classify(options: ProbeOptions): Promise<Probes['classification']> {
  const { store, run, seed, model, documents, contextLength = 128, report = silent, signal } = options;
  if (!documents) return null;
  const { classes, text, labelField } = documents;
  const checksum = await modelChecksum(model.folder);
  const dictionary = await attachDictionary(store, { model, checksum }, { run, seed });
  const { autoencoder } = dictionary;
  try {
    const fits = (counts: readonly number[]) => counts.filter((count) => count <= autoencoder.latents);
    const ks = fits(options.ks ?? [1, 2, 5]);
    const ns = fits(options.ablate ?? [2, 5, 10, 20, 50, 100, 500]);
    if (ks.length === 0 || ns.length === 0)
      throw new LazyscopeError(
        'bad_input',
        `The dictionary of '${run}' has ${autoencoder.latents} latents: give smaller numbers to --k and --ablate.`,
      );
    const pooled = await poolDocuments({ model, dictionary, classes, contextLength, report, signal });
    let done = 0;
    const total = classes.length + ns.length;
    const breathe = () => pause(signal, 'fitting probes');
    const between = async () => {
      report({ stage: 'probe classes', done: ++done, total, unit: 'probes' });
      await breathe();
    };
    return {
      text,
      labelField,
      classes: classes.map(({ name }) => name),
      trainDocuments: classes[0].train.length,
      testDocuments: classes[0].test.length,
      contextLength,
      sparseProbing: await sparseProbing(pooled, ks, { pause: between, breathe }),
      perturbation: await targetedPerturbation(pooled, autoencoder, ns, { pause: between, breathe }),
    };
  } finally {
    autoencoder.dispose();
  }
}

/** Removal of a spurious correlation. */
async function freed(options: ProbeOptions): Promise<Probes['spurious']> {
  const { store, run, seed, model, properties, contextLength = 128, report = silent, signal } = options;
  if (!properties) return null;
  const { classes, text, labelField, spuriousField, first: firstValues, second: secondValues } = properties;
  const checksum = await modelChecksum(model.folder);
  const dictionary = await attachDictionary(store, { model, checksum }, { run, seed });
  const { autoencoder } = dictionary;
  try {
    const given = options.ablate ?? [2, 5, 10, 20, 50, 100, 500];
    const ns = given.filter((count) => count <= autoencoder.latents);
    if (ns.length === 0)
      throw new LazyscopeError(
        'bad_input',
        `The dictionary of '${run}' has ${autoencoder.latents} latents: give smaller numbers to --ablate.`,
      );
    const pooled = await poolDocuments({ model, dictionary, classes, contextLength, report, signal });
    let done = 0;
    const breathe = () => pause(signal, 'fitting probes');
    const between = async () => {
      report({ stage: 'probe properties', done: ++done, total: 2 * ns.length, unit: 'probes' });
      await breathe();
    };
    return {
      text,
      labelField,
      spuriousField,
      firstValues,
      secondValues,
      trainDocuments: classes[0].train.length,
      testDocuments: classes[0].test.length,
      contextLength,
      ...(await spuriousRemoval(pooled, autoencoder, ns, { pause: between, breathe })),
    };
  } finally {
    autoencoder.dispose();
  }
}

async function absorbed(options: ProbeOptions): Promise<Probes['absorption']> {
  const { store, run, seed, model, words: most = 5000, report = silent, signal } = options;
  if (most === 0) return null;
  const opened = await openDictionary(store, run, seed, model);
  try {
    const { rows, output, autoencoder } = opened;
    const hook = oneHook(opened.hook, run);
    if (output !== hook)
      throw new LazyscopeError(
        'bad_input',
        `Run '${run}' is of transcoders, whose decoders are of other activations than what probes read: choose autoencoders.`,
      );
    if (autoencoder.normalisation)
      throw new LazyscopeError(
        'bad_input',
        `The dictionaries of run '${run}' normalise each activation (${autoencoder.normalisation}), so that their decoder rows are not of the activations that probes read: choose others.`,
      );
    const { tokenizer } = model;
    const tokenText = (id: number) => tokenTextOrNull(tokenizer, id) ?? '';
    const words = await firstLetterWords({ rows, hook, autoencoder, tokenText, most, signal });
    const breathe = () => pause(signal, 'measuring absorption');
    return await measureAbsorption(words, autoencoder, {
      async pause(done, total) {
        report({ stage: 'probe first letters', done, total, unit: 'letters' });
        await breathe();
      },
      breathe,
    });
  } finally {
    opened.dispose();
  }
}
