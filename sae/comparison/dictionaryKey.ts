import type { DictionaryReference } from '../spec/manifests/comparison.ts';

/** The key of a dictionary within a group of dictionaries. */
export function dictionaryKey({ run, seed }: DictionaryReference): string {
  return `${run}/${seed}`;
}
