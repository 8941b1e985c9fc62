import type { TokenText } from '../contract/tokens.ts';

export interface TokenReader {
  /** The text of each id; null where it has none, and empty where tokens are unknown. */
  readonly vocabulary: readonly (string | null)[];
  text(id: number): string;
  texts(ids: readonly number[]): TokenText[];
  /** Ids whose text contains `search`, ignoring case. */
  find(search: string): number[];
  /** Ids whose text is `name`, ignoring case and the space around it. */
  named(name: string): readonly number[];
}

/** Reads tokens by a vocabulary: the text of each id, null for one that has none. */
export function tokenReader(vocabulary: readonly (string | null)[]): TokenReader {
  // An embedding may have more rows than the tokenizer has tokens.
  const text = (id: number) => vocabulary[id] ?? unknownText(id);
  const lowerCase = vocabulary.map((each) => each?.toLowerCase() ?? null);
  let byName: Map<string, number[]> | undefined;
  return {
    vocabulary,
    text,
    texts: (ids) => ids.map((id) => ({ id, text: text(id) })),
    named(name) {
      if (!byName) {
        byName = new Map();
        for (const [id, each] of lowerCase.entries()) {
          const key = each?.trim();
          if (key) byName.set(key, [...(byName.get(key) ?? []), id]);
        }
      }
      return byName.get(name.trim().toLowerCase()) ?? [];
    },
    find(search) {
      const wanted = search.toLowerCase();
      return lowerCase.flatMap((each, id) => (each?.includes(wanted) ? [id] : []));
    },
  };
}

/** Of activations without tokens, ids are −1. */
const unknownText = (id: number) => (id < 0 ? '·' : `#${id}`);

/** For tokens of a model that isn't known. */
export const unknownTokens: TokenReader = {
  vocabulary: [],
  text: unknownText,
  texts: (ids) => ids.map((id) => ({ id, text: unknownText(id) })),
  find: () => [],
  named: () => [],
};
