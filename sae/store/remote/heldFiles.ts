/** Which files of a cache somebody asks to stay, and how often. */
export class HeldFiles {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 0;
  }

  /** Returns what lets them go; false where it did so before. */
  take(names: readonly string[]): () => boolean {
    const change = (by: number) => {
      for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
    };
    change(1);
    let given = false;
    return () => {
      if (given) return false;
      given = true;
      change(-1);
      return true;
    };
  }
}
