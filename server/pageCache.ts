/**
 * The files of feature pages that were opened, each with the places of its blocks in memory until the file changes. A file is unchanged while its time of
 * change, size and inode are.
 */
import { statSync } from 'node:fs';
import { isLazyscopeError } from '../sae/errors.ts';
import { FeaturePages } from '../sae/features/featurePages.ts';
import { bringIn } from '../sae/store/remote/bringIn.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import type { DictionaryReference } from './contract/tokens.ts';
import type { Log } from './log.ts';

/** Latents of all files, eight bytes each; the least recently used go first. */
const mostLatents = 8 << 20;

interface Kept {
  stamp: string;
  pages: Promise<FeaturePages | undefined>;
  /** 0 until the file is read. */
  latents: number;
  damaged: boolean;
}

export class PageCache {
  readonly #store: StoreLayout;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept>();

  constructor(store: StoreLayout, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /**
   * What `read` finds in a dictionary's file. Undefined where there is none of the tables that are there now, which the reader then reads
   * instead; a damaged one goes to the log once.
   */
  async read<Result>(
    dictionary: DictionaryReference,
    read: (pages: FeaturePages) => Result,
  ): Promise<Result | undefined> {
    try {
      const pages = await this.#open(dictionary);
      return pages && read(pages);
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      const kept = this.#kept.get(keyOf(dictionary));
      // Others that asked at the same time come here too.
      if (kept && !kept.damaged) {
        kept.damaged = true;
        kept.pages = Promise.resolve(undefined);
        this.#log(error.message, error);
      }
      return undefined;
    }
  }

  async #open(dictionary: DictionaryReference): Promise<FeaturePages | undefined> {
    const { run, seed } = dictionary;
    const store = this.#store;
    await bringIn(store.featurePages(run, seed));
    // The file is of no use once the tables that it was made of are others.
    const stamp = [store.featurePages(run, seed), store.features(run, seed), store.examples(run, seed)]
      .map(stampOf)
      .join(' ');
    const key = keyOf(dictionary);
    let kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (kept?.stamp !== stamp)
      kept = { stamp, pages: FeaturePages.open(store, dictionary), latents: 0, damaged: false };
    this.#kept.set(key, kept);
    const pages = await kept.pages;
    kept.latents = pages?.latents ?? 0;
    let latents = 0;
    for (const each of this.#kept.values()) latents += each.latents;
    for (const [oldest, each] of this.#kept) {
      if (latents <= mostLatents || oldest === key) break;
      this.#kept.delete(oldest);
      latents -= each.latents;
    }
    return pages;
  }
}

function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : 'none';
}

const keyOf = ({ run, seed }: DictionaryReference) => `${run}/${seed}`;
