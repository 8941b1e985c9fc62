/** labels-neuronpedia.parquet of a dictionary, from files that were fetched from Neuronpedia. */
import { openCaptureOf } from '../../activations/jointRows.ts';
import type { Capture } from '../../activations/openCapture.ts';
import { readDictionary } from '../../autoencoders/dictionaryFile.ts';
import { LazyscopeError } from '../../errors.ts';
import { runKind } from '../../spec/manifests/run.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';
import type { AutomaticLabel } from '../labelsTable.ts';
import { promotedTokens } from '../promotedTokens.ts';
import { replaceLabels } from '../replaceLabels.ts';
import { labelsFromNeuronpedia } from './labelsFromNeuronpedia.ts';
import { leastAgreement, neuronpediaAgreement, type NeuronpediaAgreement } from './neuronpediaAgreement.ts';
import { readNeuronpediaSource, type NeuronpediaSource } from './readNeuronpediaSource.ts';

/** What was written. */
export interface ImportedSource {
  /** As Neuronpedia calls them. */
  model: string | null;
  source: string | null;
  labelled: number;
  /** Explanations beside the one that became the label. */
  further: number;
  /** Labels that were cut to the length that labels have at most. */
  cut: number;
  /** Null where there was nothing to compare. */
  agreement: NeuronpediaAgreement | null;
  labels: AutomaticLabel[];
}

export interface ImportSourceOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  /** A source's folder, or a file of explanations. */
  path: string;
  /** These latents alone. */
  only?: readonly number[] | undefined;
  /** Explanations by this model alone. */
  explainer?: string | undefined;
  /** Also where the features are not like the dictionary's. */
  anySource?: boolean | undefined;
  /** The text of each token of the capture's model. */
  vocabularyOf(capture: Capture): Promise<(string | null)[]>;
}

/** Throws as reading the source and the dictionary do, and `bad_input` where the source is of another dictionary. */
export async function labelNeuronpedia(options: ImportSourceOptions): Promise<ImportedSource> {
  const { store, run, seed, path, only, explainer, anySource = false } = options;
  const found = await readNeuronpediaSource(path);
  const { wDec, bEnc } = await readDictionary(store.dictionary(run, seed));
  const latents = bEnc.length;
  const unknown = only?.find((latent) => latent >= latents);
  if (unknown !== undefined)
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no latent ${unknown}: its last one is ${latents - 1}.`,
    );
  const createdAt = new Date().toISOString();
  const { labels, ...counts } = labelsFromNeuronpedia(found, { latents, only, explainer, createdAt });
  const agreement = await agreementWith(found, { ...options, wDec, latents });
  if (agreement && agreement.share < leastAgreement && !anySource)
    throw new LazyscopeError(
      'bad_input',
      `Neuronpedia's source '${found.source}' is not of ${run}/${seed}: over ${agreement.features} features the ${agreement.by === 'decoder rows' ? 'mean cosine of decoder rows' : 'mean share of promoted tokens that both have'} is ${agreement.share.toFixed(2)}, and ${agreement.chance.toFixed(2)} for another feature: give the dictionary's own source, or --any-source.`,
    );
  await replaceLabels(store.automaticLabels(run, seed, 'neuronpedia'), labels, only ?? 'all');
  const { model, source } = found;
  return { model, source, labelled: labels.length, ...counts, agreement, labels };
}

async function agreementWith(
  { features }: NeuronpediaSource,
  {
    store,
    run,
    seed,
    wDec,
    latents,
    vocabularyOf,
  }: ImportSourceOptions & { wDec: Float32Array; latents: number },
): Promise<NeuronpediaAgreement | null> {
  if (features.size === 0) return null;
  const promoted = await promotedTokens(store.features(run, seed));
  const named = [...promoted.values()].some((tokens) => tokens.length > 0);
  const vocabulary = named ? await textsOf(store, run, vocabularyOf) : [];
  return neuronpediaAgreement(features, {
    latents,
    d: wDec.length / latents,
    wDec,
    promoted: (latent) => promoted.get(latent) ?? [],
    vocabulary,
  });
}

async function textsOf(
  store: StoreLayout,
  run: string,
  vocabularyOf: ImportSourceOptions['vocabularyOf'],
): Promise<(string | null)[]> {
  const capture = await openCaptureOf(store, await readManifest(store.runManifest(run), runKind), {
    fetch: 'as read',
  });
  try {
    return await vocabularyOf(capture);
  } finally {
    capture.close();
  }
}
