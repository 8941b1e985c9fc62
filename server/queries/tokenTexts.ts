/** Token ids as text, by the tokenizer of the model they came from. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadTokenizer } from '../../sae/tokens/tokenizer.ts';
import { namedModelFolder } from './modelFolders.ts';
import type { TokenText } from '../contract/tokens.ts';

export interface TokenReader {
  text(id: number): string;
  texts(ids: readonly number[]): TokenText[];
  /** Ids whose text contains `search`, ignoring case. */
  find(search: string): number[];
}

export class TokenTexts {
  readonly #modelFolders: readonly string[];
  readonly #readers = new Map<string, TokenReader>();

  constructor(modelFolders: readonly string[]) {
    this.#modelFolders = modelFolders;
  }

  /**
   * The reader for the model that a manifest names. If its folder no longer exists (as in a store copied from another machine),
   * a model of the same name is used. Without one, tokens are written as `#id`.
   */
  of(model: { name: string; folder: string } | null): TokenReader {
    const folder = model && this.#folderOf(model);
    if (!folder) return unknownTokens;
    let reader = this.#readers.get(folder);
    if (!reader) {
      reader = openReader(folder);
      this.#readers.set(folder, reader);
    }
    return reader;
  }

  #folderOf({ name, folder }: { name: string; folder: string }): string | undefined {
    if (existsSync(join(folder, 'tokenizer.json'))) return folder;
    return namedModelFolder(this.#modelFolders, name);
  }
}

function openReader(folder: string): TokenReader {
  const tokenizer = loadTokenizer(folder);
  const known: string[] = Array.from({ length: tokenizer.vocabularySize });
  // An embedding may have more rows than the tokenizer has tokens, and a vocabulary may have gaps.
  const text = (id: number) => {
    try {
      return (known[id] ??= tokenizer.tokenText(id));
    } catch {
      return unknownText(id);
    }
  };
  return {
    text,
    texts: (ids) => ids.map((id) => ({ id, text: text(id) })),
    find(search) {
      const wanted = search.toLowerCase();
      return Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter((id) =>
        text(id).toLowerCase().includes(wanted),
      );
    },
  };
}

const unknownText = (id: number) => `#${id}`;

const unknownTokens: TokenReader = {
  text: unknownText,
  texts: (ids) => ids.map((id) => ({ id, text: unknownText(id) })),
  find: () => [],
};
