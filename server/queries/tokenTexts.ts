/** Token ids as text: by the vocabulary that the capture left in the store, else by the tokenizer of the model. */
import { existsSync } from 'node:fs';
import { modelPlace, type ModelReference } from '../../sae/models/modelPlace.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { readVocabulary, vocabularyOf } from '../../sae/tokens/vocabulary.ts';
import type { Log } from '../log.ts';
import { namedModelFolder } from './modelFolders.ts';
import { tokenReader, unknownTokens, type TokenReader } from './tokenReader.ts';

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
        reader = tokenReader(place.read());
      } catch (error) {
        this.#log(`Tokens are shown as numbers: '${place.path}' can't be read.`, error);
        reader = unknownTokens;
      }
      this.#readers.set(place.path, reader);
    }
    return reader;
  }

  #placeOf(model: ModelReference) {
    const { sha256 } = model;
    const vocabulary = sha256 === undefined ? undefined : this.#store.vocabulary(sha256);
    if (vocabulary !== undefined && existsSync(vocabulary))
      return { path: vocabulary, read: () => readVocabulary(vocabulary) };
    const path = modelPlace(this.#store, model) ?? namedModelFolder(this.#modelFolders, model.name);
    return path === undefined
      ? undefined
      : { path, read: () => vocabularyOf(openModelFiles(path).tokenizer()) };
  }
}
