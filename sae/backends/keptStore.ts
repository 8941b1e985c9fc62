/** Memory that a device may let go of for others, and not while it is used. Stores of rows extend it. */
export abstract class KeptStore {
  #busy = false;

  abstract dispose(): void;

  /** Disposes the store and tells `lost`, unless it is in use. */
  protected letGo(lost?: () => void): void {
    if (this.#busy) return;
    this.dispose();
    lost?.();
  }

  /** The store stays while `run` runs. */
  whileKept<T>(run: () => T): T {
    const before = this.#busy;
    this.#busy = true;
    try {
      return run();
    } finally {
      this.#busy = before;
    }
  }
}

/** These stores stay while `run` runs. */
export function whileAllKept<T>(stores: readonly KeptStore[], run: () => T): T {
  return [...new Set(stores)].reduce<() => T>((inner, store) => () => store.whileKept(inner), run)();
}
