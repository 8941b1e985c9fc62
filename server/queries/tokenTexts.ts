/** Token ids as text: by the vocabulary that the capture left in the store, else by the tokenizer of the model. */
import { existsSync } from 'node:fs';
import { isModel } from '../../sae/models/isModel.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { readVocabulary, vocabularyOf } from '../../sae/tokens/vocabulary.ts';
import type { TokenText } from '../contract/tokens.ts';
import type { Log } from '../log.ts';
import { namedModelFolder } from './modelFolders.ts';

export interface TokenReader {
  text(id: number): string;
  texts(ids: readonly number[]): TokenText[];
  /** Ids whose text contains `search`, ignoring case. */
  find(search: string): number[];
  /** Ids whose text is `name`, ignoring case and the space around it. */
  named(name: string): readonly number[];
}

/** What manifests say of a model; reports of sparsity have no checksum. */
interface ModelReference {
  name: string;
  folder: string;
  sha256?: string;
}

export class TokenTexts {
  readonly #store: StoreLayout;
  readonly #modelFolders: readonly string[];
  readonly #log: Log;
  readonly #readers = new Map<string, TokenReader>();

  constructor(store: StoreLayout, modelFolders: readonly string[], log: Log) {
    this.#store = store;
    this.#modelFolders = modelFolders;
    this.#log = log;
  }

  /**
   * The reader for the model that a manifest names. Where the store has no vocabulary of it and its folder or file no longer
   * exists (as in a store copied from another machine), a model of the same name is used. Without one, or when it can't
   * be read, tokens are written as `#id`.
   */
  of(model: ModelReference | null): TokenReader {
    const place = model && this.#placeOf(model);
    if (!place) return unknownTokens;
    let reader = this.#readers.get(place.path);
    if (!reader) {
      try {
        reader = readerOf(place.read());
      } catch (error) {
        this.#log(`Tokens are shown as numbers: '${place.path}' can't be read.`, error);
        reader = unknownTokens;
      }
      this.#readers.set(place.path, reader);
    }
    return reader;
  }

  #placeOf({ name, folder, sha256 }: ModelReference) {
    const vocabulary = sha256 === undefined ? undefined : this.#store.vocabulary(sha256);
    if (vocabulary !== undefined && existsSync(vocabulary))
      return { path: vocabulary, read: () => readVocabulary(vocabulary) };
    const path = isModel(folder) ? folder : namedModelFolder(this.#modelFolders, name);
    return path === undefined
      ? undefined
      : { path, read: () => vocabularyOf(openModelFiles(path).tokenizer()) };
  }
}

function readerOf(vocabulary: readonly (string | null)[]): TokenReader {
  // An embedding may have more rows than the tokenizer has tokens.
  const text = (id: number) => vocabulary[id] ?? unknownText(id);
  const lowerCase = vocabulary.map((each) => each?.toLowerCase() ?? null);
  let byName: Map<string, number[]> | undefined;
  return {
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

const unknownTokens: TokenReader = {
  text: unknownText,
  texts: (ids) => ids.map((id) => ({ id, text: unknownText(id) })),
  find: () => [],
  named: () => [],
};
