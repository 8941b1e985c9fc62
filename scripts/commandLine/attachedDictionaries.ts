/** Dictionaries that a command attaches to their model. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { AttachedModel } from '../../sae/inference/attachedModel.ts';
import type { DictionaryReference } from '../../sae/spec/manifests/comparison.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { dictionaryReference, finishedRun, seedsOf } from './dictionaries.ts';
import { modelFolder } from './models.ts';

/** Parses `RUN/SEED`, or `RUN` for its first seed. Throws for a run or a seed that isn't there. */
export async function namedDictionary(store: StoreLayout, text: string): Promise<DictionaryReference> {
  const named = text.includes('/') ? dictionaryReference(text) : { run: text, seed: undefined };
  const manifest = await finishedRun(store, named.run);
  const [seed] = seedsOf(manifest, named.seed === undefined ? undefined : [named.seed]);
  return { run: named.run, seed };
}

/** The model that the first dictionary was trained on, in memory. The caller disposes it. */
export async function modelOfDictionary(
  store: StoreLayout,
  dictionary: DictionaryReference,
): Promise<AttachedModel> {
  const [{ AttachedModel }, { originOf }, { modelPlace }] = await Promise.all([
    import('../../sae/inference/attachedModel.ts'),
    import('../../sae/inference/attachedDictionary.ts'),
    import('../../sae/models/modelPlace.ts'),
  ]);
  const { model } = (await originOf(store, dictionary)).capture;
  return AttachedModel.load(store, modelFolder(store, modelPlace(store, model) ?? model.name));
}

/** Parses `LATENT` or `LATENT=VALUE`, with `RUN/SEED:` before it for another dictionary than the first. */
export function parseChange(
  text: string,
  flag: string,
  takesValue: boolean,
): { dictionary: DictionaryReference | undefined; latent: number; value: number } {
  const match = /^(?:([^:=]+):)?(\d+)(?:=(-?\d+(?:\.\d+)?))?$/.exec(text.trim());
  if (!match || (match[3] !== undefined) !== takesValue)
    throw new LazyscopeError(
      'bad_input',
      `--${flag} ${text}: give ${takesValue ? "LATENT=VALUE, for example '12=4'" : "a latent, for example '12'"}, with 'RUN/SEED:' before it for another dictionary.`,
    );
  return {
    dictionary: match[1] === undefined ? undefined : dictionaryReference(match[1]),
    latent: Number(match[2]),
    value: Number(match[3] ?? 0),
  };
}
