/**
 * A language model in memory with dictionaries attached to it, for questions about text that come one after the other:
 * the model is loaded once, and dictionaries stay until others need their memory.
 */
import { stat } from 'node:fs/promises';
import { modelChecksum } from '../models/modelChecksum.ts';
import { LazyscopeError } from '../errors.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { Sampling } from '../models/sampleToken.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { ComparisonSide } from '../comparison/storedCounterparts.ts';
import { attachDictionary, type AttachedDictionary } from './attachedDictionary.ts';
import type { Intervention } from './intervention.ts';
import { steer, type SteerEvent } from './steer.ts';
import { textFeatures, type TextFeatures } from './textFeatures.ts';
import { textTokens } from './textTokens.ts';

/** A question after the features of a text. */
export interface FeaturesRequest {
  text: string;
  dictionaries: readonly DictionaryReference[];
  /** For each dictionary, the comparison in which the first one asks it for counterparts; null for none. */
  comparisons: readonly (ComparisonSide | null)[];
  /** For each dictionary, latents to trace even where others are stronger. */
  latents: readonly (readonly number[])[];
  /** Strongest latents a token, latents traced, next tokens a token. */
  strongest: number;
  traced: number;
  predictions: number;
}

/** A question after what a model says with features changed. Fields are those of steer.ts. */
export interface SteerRequest {
  prompt: string;
  variants: readonly {
    steered: readonly (DictionaryReference & { interventions: readonly Intervention[] })[];
    keepsError: boolean;
  }[];
  maxNewTokens: number;
  greedy: boolean;
  samples: number;
  sampling: Sampling;
  seed: number;
}

interface Kept {
  dictionary: Promise<AttachedDictionary>;
  bytes: number;
  users: number;
}

/** Bytes of dictionaries that stay in memory while nobody uses them. */
const keptBytes = 2 ** 30;

export class AttachedModel {
  readonly model: LanguageModel;
  readonly #store: StoreLayout;
  readonly #checksum: string;
  /** By file and its date, the least recently used first. */
  readonly #kept = new Map<string, Kept>();

  private constructor(store: StoreLayout, model: LanguageModel, checksum: string) {
    this.#store = store;
    this.model = model;
    this.#checksum = checksum;
  }

  /** Throws as `loadLanguageModel` does. */
  static async load(store: StoreLayout, path: string): Promise<AttachedModel> {
    const checksum = await modelChecksum(path);
    return new AttachedModel(store, await loadLanguageModel(path), checksum);
  }

  /** The dictionaries in memory, as RUN/SEED. */
  get dictionaries(): string[] {
    return [...this.#kept.keys()].map((key) => key.slice(0, key.indexOf(' ')));
  }

  /** Throws as `attachDictionary`, `textTokens` and `textFeatures` do, and `bad_input` for a latent that a dictionary doesn't have. */
  async features(request: FeaturesRequest, signal?: AbortSignal): Promise<TextFeatures> {
    return this.#using(request.dictionaries, async (dictionaries) => {
      for (const [i, { autoencoder, run, seed }] of dictionaries.entries())
        for (const latent of request.latents[i] ?? [])
          if (latent >= autoencoder.latents)
            throw new LazyscopeError(
              'bad_input',
              `Seed ${seed} of '${run}' has no latent ${latent}: it has ${autoencoder.latents}, from 0.`,
            );
      const { text, ...wanted } = request;
      const tokens = textTokens(this.model, text, packingOf(dictionaries));
      return textFeatures({ ...wanted, store: this.#store, model: this.model, tokens, dictionaries, signal });
    });
  }

  /** Throws as `attachDictionary`, `textTokens` and `steer` do. */
  async *steer(request: SteerRequest, signal?: AbortSignal): AsyncGenerator<SteerEvent, void> {
    const wanted = request.variants.flatMap(({ steered }) => steered);
    const { dictionaries, release } = await this.#lease(wanted);
    try {
      const of = new Map(wanted.map((one, i) => [one, dictionaries[i]]));
      const tokens = textTokens(this.model, request.prompt, packingOf(dictionaries));
      const variants = request.variants.map(({ steered, keepsError }) => ({
        keepsError,
        steered: steered.map((one) => ({ dictionary: of.get(one)!, interventions: one.interventions })),
      }));
      yield* steer({ ...request, model: this.model, tokens, variants, signal });
    } finally {
      release();
    }
  }

  dispose(): void {
    for (const { dictionary } of this.#kept.values()) disposeWhenRead(dictionary);
    this.#kept.clear();
    this.model.dispose();
  }

  async #using<Result>(
    references: readonly DictionaryReference[],
    use: (dictionaries: AttachedDictionary[]) => Promise<Result>,
  ): Promise<Result> {
    const { dictionaries, release } = await this.#lease(references);
    try {
      return await use(dictionaries);
    } finally {
      release();
    }
  }

  async #lease(
    references: readonly DictionaryReference[],
  ): Promise<{ dictionaries: AttachedDictionary[]; release: () => void }> {
    const keys: string[] = [];
    const release = () => {
      for (const key of keys) {
        const kept = this.#kept.get(key);
        if (kept) kept.users--;
      }
      this.#forget(keptBytes);
    };
    try {
      const dictionaries: AttachedDictionary[] = [];
      for (const reference of references) {
        const { key, bytes } = await this.#keyOf(reference);
        const kept = this.#kept.get(key) ?? this.#open(key, reference, bytes);
        // Behind all others, as the one used last.
        this.#kept.delete(key);
        this.#kept.set(key, kept);
        kept.users++;
        keys.push(key);
        dictionaries.push(await kept.dictionary);
      }
      return { dictionaries, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A dictionary that was trained anew is another one. */
  async #keyOf({ run, seed }: DictionaryReference): Promise<{ key: string; bytes: number }> {
    const file = await stat(this.#store.dictionary(run, seed)).catch(() => undefined);
    return { key: `${run}/${seed} ${file?.mtimeMs ?? 0}`, bytes: file?.size ?? 0 };
  }

  #open(key: string, reference: DictionaryReference, bytes: number): Kept {
    const dictionary = attachDictionary(
      this.#store,
      { model: this.model, checksum: this.#checksum },
      reference,
    );
    // A failed one is not kept: its cause may be mended.
    dictionary.catch(() => this.#kept.delete(key));
    return { dictionary, bytes, users: 0 };
  }

  #forget(most: number): void {
    let bytes = [...this.#kept.values()].reduce((sum, kept) => sum + kept.bytes, 0);
    for (const [key, kept] of this.#kept) {
      if (bytes <= most) return;
      if (kept.users > 0) continue;
      this.#kept.delete(key);
      bytes -= kept.bytes;
      disposeWhenRead(kept.dictionary);
    }
  }
}

/** How the text begins is the first dictionary's to say. */
function packingOf(dictionaries: readonly AttachedDictionary[]) {
  return dictionaries.length === 0 ? 'unknown' : dictionaries[0].packing;
}

function disposeWhenRead(dictionary: Promise<AttachedDictionary>): void {
  dictionary.then(
    ({ autoencoder }) => autoencoder.dispose(),
    () => {},
  );
}
