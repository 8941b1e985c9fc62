/**
 * The k largest pre-activations of each row over the latents of several devices, of which each lists its own. A device sends fewer than k candidates of a
 * row: as many as are likely enough. Where some row would have needed more, the device notices, the step's entries have the wrong form (`Listed`), so that
 * nothing is changed and it is made again, and from then on k are sent. All devices see the same candidates, and so do the same.
 */
import type { Encoder, FusedKernels } from '../../../ops/fusedKernels.ts';
import { likelyReach } from '../../../ops/likelyReach.ts';
import { disposeEntries, type Listed, type SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { blocksFor, type Collectives, spreadFile, spreadThreads } from './collectives.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

export interface SpreadTopKParts {
  readonly programs: FusedPrograms;
  readonly byLatent: EntriesByLatent;
  readonly collectives: Collectives;
  /** The kernels that choose among the latents of one device. */
  readonly own: Pick<FusedKernels, 'topKEncode'>;
}

/** How many candidates of a row a device sends, and the place and bit that say whether they were too few; null where they can't be. */
export interface Reach {
  readonly each: number;
  readonly shortage: DeviceBuffer | null;
  readonly bit: number;
}

/** Rows of a list have `have` entries each, or as many as `choice` (source/fusedAuxiliary.cu) has latents, where there is one and those are fewer. */
export interface ListOfRows {
  readonly have: number;
  readonly choice: DeviceBuffer | null;
}

/** Which of a step's choices had too few candidates: bit i is that of the i-th. */
interface Shortage {
  readonly bits: Scalar;
  readonly choices: string[];
}

/** Choices of a step: the main one, and that of AuxK. */
const mostChoices = 31;

export class SpreadTopK {
  readonly #parts: SpreadTopKParts;
  /** Choices for which the likely number was too small. */
  readonly #uneven = new Set<string>();
  /** By the tensor of their bits. */
  readonly #choices = new WeakMap<object, readonly string[]>();
  #current: Shortage | null = null;

  constructor(parts: SpreadTopKParts) {
    this.#parts = parts;
  }

  /** Begins a step. What its entries say of their form is right where none of its choices had too few candidates. */
  begin(): Listed {
    const { programs } = this.#parts;
    const { tensor, buffer } = programs.output<Scalar>([], 'int32');
    programs.backend.fill(buffer, 0, 1);
    const choices: string[] = [];
    this.#current = { bits: tensor, choices };
    this.#choices.set(tensor.dataId, choices);
    return { count: tensor, least: 0, most: 0 };
  }

  /** Told of everything that has been read from the device. */
  hasRead(tensors: readonly Tensor[], values: readonly ArrayLike<number>[]): void {
    for (const [i, { dataId }] of tensors.entries())
      for (const [bit, choice] of (this.#choices.get(dataId) ?? []).entries())
        if (values[i][0] & (1 << bit)) this.#uneven.add(choice);
  }

  encode(x: Tensor2D, encoder: Encoder, k: number): SparseEntries {
    const listed = this.begin();
    const [latents] = encoder.wEnc.shape;
    const reach = this.reach(k, 'of all', k);
    const have = Math.min(reach.each, latents);
    const candidates = this.#parts.own.topKEncode(x, encoder, have);
    return { ...this.kept(candidates, { have, choice: null }, reach, k), listed };
  }

  /** How many candidates of k a device sends of each row, `most` where the likely number was too small before. */
  reach(k: number, of: 'of all' | 'of some', most: number): Reach {
    const { programs, collectives } = this.#parts;
    const step = this.#current;
    const choice = `${k} ${of}`;
    const isUneven = this.#uneven.has(choice);
    programs.backend.recording?.onlyWhere(() => this.#uneven.has(choice) === isUneven);
    const each = Math.min(most, likelyReach(k, collectives.size));
    // In the last case nobody could be told of too few.
    if (each === most || isUneven || !step || step.bits.isDisposed || step.choices.length >= mostChoices)
      return { each: most, shortage: null, bit: 0 };
    step.choices.push(choice);
    return {
      each,
      shortage: programs.backend.buffer(step.bits),
      bit: 1 << (step.choices.length - 1),
    };
  }

  /** Of this device's candidates, which it disposes, those that are among the k largest of a row on all devices. */
  kept(candidates: SparseEntries, list: ListOfRows, reach: Reach, k: number): SparseEntries {
    const { programs, byLatent } = this.#parts;
    const { backend } = programs;
    const { rows, latents } = candidates;
    const { have, choice } = list;
    const values = backend.buffer(candidates.values);
    try {
      return this.bars(values, list, reach, [rows, k], ({ bars, ties, kept }) => {
        const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
        const indices = programs.output<Tensor1D>([rows * have], 'int32');
        const chosen = programs.output<Tensor1D>([rows * have], 'float32');
        byLatent.prefixSums(kept, rowStart.buffer, null, rows, rows * have);
        programs.run(spreadFile, 'listOwn', [rows, spreadThreads], [
          backend.buffer(candidates.indices), values, choice, have, bars, ties, rowStart.buffer, indices.buffer, chosen.buffer,
        ]); // prettier-ignore
        const lists = { rowStart: rowStart.tensor, indices: indices.tensor, values: chosen.tensor };
        return { kind: 'sparse', rows, latents, ...lists };
      });
    } finally {
      disposeEntries(candidates);
    }
  }

  /** Calls `use` with what `barOfRanks` says of the k largest of each row on all devices; values are those that this device lists. */
  bars<T>(
    values: DeviceBuffer,
    { have, choice }: ListOfRows,
    { each, shortage, bit }: Reach,
    [rows, k]: readonly [number, number],
    use: (of: Record<'bars' | 'ties' | 'kept', DeviceBuffer>) => T,
  ): T {
    const { programs, collectives } = this.#parts;
    const { backend } = programs;
    const { rank, size } = collectives;
    const taken: DeviceBuffer[] = [];
    const take = (count: number) => {
      const buffer = backend.scratch(4 * count);
      taken.push(buffer);
      return buffer;
    };
    try {
      const [all, bars, ties, kept] = [take(size * rows * each), take(rows), take(rows), take(rows)];
      let sent = values;
      if (have < each || choice) {
        sent = take(rows * each);
        const args = [values, choice, sent, rows * each, have, each];
        programs.run(spreadFile, 'padRows', [blocksFor(rows * each), spreadThreads], args);
      }
      collectives.allGather(sent, all, rows * each);
      programs.run(spreadFile, 'barOfRanks', [rows, spreadThreads], [
        all, rank, size, rows, each, k, bars, ties, kept, shortage ?? take(1), bit,
      ]); // prettier-ignore
      return use({ bars, ties, kept });
    } finally {
      for (const buffer of taken) backend.give(buffer);
    }
  }
}
