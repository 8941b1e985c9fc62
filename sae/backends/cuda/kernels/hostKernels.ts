/** How often each of TF.js's own kernels, which compute on the host, has run on tensors of the cuda backend. Tests look at it. */
export class HostKernels {
  readonly #calls = new Map<string, number>();

  count(kernel: string): void {
    this.#calls.set(kernel, (this.#calls.get(kernel) ?? 0) + 1);
  }

  /** Calls by kernel; begins anew. */
  take(): Record<string, number> {
    const calls = Object.fromEntries(this.#calls);
    this.#calls.clear();
    return calls;
  }
}

export const hostKernels = new HostKernels();
