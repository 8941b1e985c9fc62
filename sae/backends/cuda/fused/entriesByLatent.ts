/** Entries regrouped by latent, in the order of rows; see source/fusedEntries.cu. */
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Tensor1D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const file = 'fusedEntries.cu';
const threads = 256;
/** A warp takes a latent. */
const latentsAtOnce = threads / 32;
const prefixThreads = 1024;

export interface ByLatent {
  /** int32 [latents + 1]: where each latent's entries begin. */
  readonly start: DeviceBuffer;
  /** int32 [entries, 2]: row and number of each entry. */
  readonly order: DeviceBuffer;
}

interface Known extends ByLatent {
  readonly indices: Tensor1D['dataId'];
  readonly rowStart: Tensor1D['dataId'];
}

/** A step needs the order of the same entries twice, for the firings and for the gradients; AuxK brings a second list. */
const kept = 2;

export class EntriesByLatent {
  readonly #programs: FusedPrograms;
  #known: readonly Known[] = [];

  constructor(programs: FusedPrograms) {
    this.#programs = programs;
  }

  /** Valid until the orders of two other lists have been asked for. */
  of(entries: SparseEntries): ByLatent {
    const { rowStart, indices } = entries;
    const found = this.#known.find(
      (known) => known.indices === indices.dataId && known.rowStart === rowStart.dataId,
    );
    if (found) return found;
    const made = { ...this.#sorted(entries), indices: indices.dataId, rowStart: rowStart.dataId };
    const all = [made, ...this.#known];
    this.#known = all.slice(0, kept);
    for (const { start, order } of all.slice(kept)) {
      this.#programs.backend.give(start);
      this.#programs.backend.give(order);
    }
    return made;
  }

  /** The orders that are known are of contents that are no more: a replayed step writes the same tensors anew. */
  forget(): void {
    for (const { start, order } of this.#known) {
      this.#programs.backend.give(start);
      this.#programs.backend.give(order);
    }
    this.#known = [];
  }

  /** starts [n + 1], none above `most`; `total`, where there is one, is the sum of all counts, and −1 where 32 bits don't hold it. */
  prefixSums(
    counts: DeviceBuffer,
    starts: DeviceBuffer,
    total: DeviceBuffer | null,
    n: number,
    most: number,
  ): void {
    this.#programs.run(file, 'prefixSums', [1, prefixThreads], [counts, starts, total, n, most]);
  }

  firings(entries: SparseEntries, threshold: Tensor1D | null): { counts: Tensor1D; sums: Tensor1D } {
    const { latents } = entries;
    const { start, order } = this.of(entries);
    const counts = this.#programs.output<Tensor1D>([latents], 'int32');
    const sums = this.#programs.output<Tensor1D>([latents], 'float32');
    const values = this.#programs.backend.buffer(entries.values);
    this.#eachLatent('firings', latents, [
      start, order, values, this.#programs.maybe(threshold), counts.buffer, sums.buffer, latents,
    ]); // prettier-ignore
    return { counts: counts.tensor, sums: sums.tensor };
  }

  #sorted({ rows, latents, rowStart, indices }: SparseEntries): ByLatent {
    const { backend } = this.#programs;
    const words = Math.ceil(rows / 32);
    const [starts, places] = [backend.buffer(rowStart), backend.buffer(indices)];
    const start = backend.scratch(4 * (latents + 1));
    const order = backend.scratch(8 * indices.shape[0]);
    this.#programs.scratch(4 * latents * words, (bits) => {
      backend.fill(bits, 0, latents * words);
      this.#programs.run(file, 'markBits', [rows, threads], [starts, places, bits, words]);
      this.#programs.scratch(4 * latents, (counts) => {
        this.#eachLatent('countBits', latents, [bits, counts, latents, words]);
        this.prefixSums(counts, start, null, latents, indices.shape[0]);
      });
      this.#eachLatent('fillOrder', latents, [bits, start, starts, places, order, latents, words]);
    });
    return { start, order };
  }

  #eachLatent(name: string, latents: number, args: Parameters<FusedPrograms['run']>[3]): void {
    this.#programs.run(file, name, [Math.ceil(latents / latentsAtOnce), threads], args);
  }
}
