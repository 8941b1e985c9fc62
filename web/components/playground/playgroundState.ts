/** The playground's state in the address: the text, the dictionaries, what is looked at and what is steered. */
import { interventionKinds, type InterventionKind } from '../../../sae/spec/interventions.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';

export const playgroundDefaults = {
  text: '',
  /** Dictionaries as RUN/SEED, separated by commas; empty for the newest run. */
  on: '',
  /** The latent that shades the text, as RUN/SEED:LATENT; empty for the strongest. */
  latent: '',
  /** The position looked at; empty for the last. */
  token: '',
  /** `strongest`, or `relative` to the largest activation on held-out text. */
  by: 'strongest',
  /** Changes as RUN/SEED:LATENT:KIND:VALUE, separated by commas. */
  steer: '',
  /** `error` keeps the reconstruction error, `reconstruction` doesn't. */
  base: 'error',
  length: '40',
  samples: '1',
  temperature: '1',
  /** The dictionary whose counterparts are steered beside, as RUN/SEED; `none` for none. */
  beside: '',
};

export type PlaygroundState = typeof playgroundDefaults;

export interface DictionaryName {
  run: string;
  seed: number;
}

export interface LatentName extends DictionaryName {
  latent: number;
}

export interface Change extends LatentName {
  kind: InterventionKind;
  value: number;
}

export const nameOf = ({ run, seed }: DictionaryName): string => `${run}/${seed}`;
export const latentNameOf = (one: LatentName): string => `${nameOf(one)}:${one.latent}`;

export const sameDictionary = (one: DictionaryName, other: DictionaryName): boolean =>
  one.run === other.run && one.seed === other.seed;

/** Undefined for what names no dictionary. */
export function readDictionary(text: string): DictionaryName | undefined {
  const [run, seed, ...more] = text.split('/');
  const number = wholeNumber(seed ?? '');
  return run && number !== undefined && more.length === 0 ? { run, seed: number } : undefined;
}

/** What can't be read is left out, so that old links still work. */
export function readDictionaries(on: string): DictionaryName[] {
  const found = on.split(',').flatMap((text) => readDictionary(text) ?? []);
  return found.filter((one, i) => found.findIndex((other) => sameDictionary(one, other)) === i);
}

export function readLatent(text: string): LatentName | undefined {
  const [name, latent] = text.split(':');
  const dictionary = readDictionary(name ?? '');
  const number = wholeNumber(latent ?? '');
  return dictionary && number !== undefined ? { ...dictionary, latent: number } : undefined;
}

export function readChanges(steer: string): Change[] {
  return steer.split(',').flatMap((text) => {
    const [name, latent, kind, value] = text.split(':');
    const named = readLatent(`${name}:${latent}`);
    const known = interventionKinds.find((one) => one === kind);
    const number = Number(value ?? 0);
    return named && known && Number.isFinite(number) ? [{ ...named, kind: known, value: number }] : [];
  });
}

export const printDictionaries = (dictionaries: readonly DictionaryName[]): string =>
  dictionaries.map(nameOf).join(',');

export const printChanges = (changes: readonly Change[]): string =>
  changes.map((one) => `${latentNameOf(one)}:${one.kind}:${one.value}`).join(',');
