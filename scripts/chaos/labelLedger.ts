/** What a server that is killed while it takes labels must still have. */
export class LabelLedger {
  readonly #confirmed = new Map<number, string>();
  /** The label that was on its way when the server was killed: it may have been written or not. */
  #open: { latent: number; label: string } | undefined;

  sent(latent: number, label: string): void {
    this.#open = { latent, label };
  }

  confirmed(latent: number, label: string): void {
    this.#confirmed.set(latent, label);
    this.#open = undefined;
  }

  /** What was lost, in words. From then on, what was found is what there must be. */
  lost(found: ReadonlyMap<number, string | undefined>): string[] {
    const open = this.#open;
    if (open && found.get(open.latent) === open.label) this.#confirmed.set(open.latent, open.label);
    this.#open = undefined;
    return [...this.#confirmed]
      .filter(([latent, label]) => found.get(latent) !== label)
      .map(([latent, label]) => `label ${latent} was confirmed as '${label}' and is '${found.get(latent)}'`);
  }
}
