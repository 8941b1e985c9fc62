import { foldWord, wordsOf } from '../../sae/tokens/words.ts';
import type { Label } from '../contract/label.ts';

/** The labels of one dictionary as they are shown. It never changes; a change makes another. */
export class DictionaryLabels {
  readonly #labels: ReadonlyMap<number, Label>;
  /** The words of all labels, sorted, each with the latents whose labels have it. Made when first searched. */
  #words: { word: string; latents: number[] }[] | undefined;

  /** `written` goes before `automatic`, of which the first goes before the others. */
  constructor(
    written: ReadonlyMap<number, Label> | undefined,
    automatic: readonly ReadonlyMap<number, Label>[],
  ) {
    const merged = new Map<number, Label>();
    for (const labels of [...automatic].reverse())
      for (const [latent, one] of labels) merged.set(latent, one);
    for (const [latent, one] of written ?? []) {
      // A note without a label says something of the latent without naming it.
      const under = merged.get(latent);
      if (one.label !== '') merged.set(latent, one);
      else if (under) merged.set(latent, { ...under, note: one.note });
    }
    this.#labels = merged;
  }

  get size(): number {
    return this.#labels.size;
  }

  /** Undefined for a latent without a label. */
  get(latent: number): Label | undefined {
    return this.#labels.get(latent);
  }

  /** The label's text alone; null for a latent without one. */
  name(latent: number): string | null {
    return this.#labels.get(latent)?.label ?? null;
  }

  /** Latent and label, ascending by latent. */
  names(): [latent: number, label: string][] {
    return [...this.#labels.values()]
      .map(({ latent, label }): [number, string] => [latent, label])
      .sort((a, b) => a[0] - b[0]);
  }

  all(): IterableIterator<Label> {
    return this.#labels.values();
  }

  latents(): IterableIterator<number> {
    return this.#labels.keys();
  }

  /** Latents whose label has every word of a text, or a word that begins with it, in any case and with or without accents. */
  withWords(text: string): number[] {
    const wanted = wordsOf(text);
    if (wanted.length === 0) {
      const folded = foldWord(text);
      return [...this.#labels.values()]
        .filter(({ label }) => foldWord(label).includes(folded))
        .map(({ latent }) => latent);
    }
    const [first, ...others] = wanted.map((word) => this.#beginningWith(word));
    return [...first].filter((latent) => others.every((latents) => latents.has(latent)));
  }

  #beginningWith(beginning: string): Set<number> {
    const words = (this.#words ??= this.#indexed());
    let low = 0;
    let high = words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle].word < beginning) low = middle + 1;
      else high = middle;
    }
    const found = new Set<number>();
    for (let at = low; at < words.length && words[at].word.startsWith(beginning); at++)
      for (const latent of words[at].latents) found.add(latent);
    return found;
  }

  #indexed(): { word: string; latents: number[] }[] {
    const words = new Map<string, number[]>();
    for (const { latent, label } of this.#labels.values())
      for (const word of new Set(wordsOf(label))) {
        const latents = words.get(word);
        if (latents) latents.push(latent);
        else words.set(word, [latent]);
      }
    return [...words]
      .map(([word, latents]) => ({ word, latents }))
      .sort((a, b) => (a.word < b.word ? -1 : a.word > b.word ? 1 : 0));
  }
}
