/**
 * The k largest pre-activations of each row over the latents of several devices, of which each lists its own. A device sends fewer than k candidates of a
 * row: as many as are likely enough. Where some row would have needed more, the device notices, the step's entries have the wrong form (`Listed`), so that
 * nothing is changed and it is made again, and from then on k are sent. All devices see the same candidates, and so do the same.
 */
import type { Encoder, FusedKernels } from '../../../ops/fusedKernels.ts';
import { likelyReach } from '../../../ops/likelyReach.ts';
import {
  disposeEntries,
  type Listed,
  type SparseEntries,
  sparseEntries,
} from '../../../ops/sparseEntries.ts';
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

  /** `among`, ascending, are places in the share; without it the choice is a step's first. */
  encode(x: Tensor2D, encoder: Encoder, k: number, among?: Int32Array): SparseEntries {
    if (among) return this.#chosen(x, encoder, k, among);
    const listed = this.begin();
    return { ...this.#chosen(x, encoder, k, undefined), listed };
  }

  /** How many candidates a device sends, and the place and bit that say whether they were too few. */
  #reach(k: number, choice: string): { each: number; shortage: DeviceBuffer | null; bit: number } {
    const { programs, collectives } = this.#parts;
    const step = this.#current;
    // In the last case nobody could be told of too few.
    if (this.#uneven.has(choice) || !step || step.bits.isDisposed || step.choices.length >= mostChoices)
      return { each: k, shortage: null, bit: 0 };
    step.choices.push(choice);
    return {
      each: likelyReach(k, collectives.size),
      shortage: programs.backend.buffer(step.bits),
      bit: 1 << (step.choices.length - 1),
    };
  }

  #chosen(x: Tensor2D, encoder: Encoder, k: number, among: Int32Array | undefined): SparseEntries {
    const { programs, byLatent, collectives, own } = this.#parts;
    const { backend } = programs;
    const { rank, size } = collectives;
    const [rows] = x.shape;
    const [latents] = encoder.wEnc.shape;
    // Chosen among all latents and among dead ones, the largest may be spread differently.
    const { each, shortage, bit } = this.#reach(k, `${k} ${among ? 'of some' : 'of all'}`);
    const have = Math.min(each, among?.length ?? latents);
    const candidates = have > 0 ? own.topKEncode(x, encoder, have, among) : noEntries(rows, latents);
    const values = backend.buffer(candidates.values);
    const taken: DeviceBuffer[] = [];
    const take = (count: number) => {
      const buffer = backend.scratch(4 * count);
      taken.push(buffer);
      return buffer;
    };
    try {
      const [all, bars, ties, kept] = [take(size * rows * each), take(rows), take(rows), take(rows)];
      let sent = values;
      if (have < each) {
        sent = take(rows * each);
        const blocks = blocksFor(rows * each);
        programs.run(spreadFile, 'padRows', [blocks, spreadThreads], [values, sent, rows * each, have, each]);
      }
      collectives.allGather(sent, all, rows * each);
      const byRow = [rows, spreadThreads] as const;
      programs.run(spreadFile, 'barOfRanks', byRow, [
        all, rank, size, rows, each, k, bars, ties, kept, shortage ?? take(1), bit,
      ]); // prettier-ignore
      const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
      const indices = programs.output<Tensor1D>([Math.max(1, rows * have)], 'int32');
      const chosen = programs.output<Tensor1D>(indices.tensor.shape, 'float32');
      byLatent.prefixSums(kept, rowStart.buffer, null, rows, rows * have);
      programs.run(spreadFile, 'listOwn', byRow, [
        backend.buffer(candidates.indices), values, have, bars, ties, rowStart.buffer, indices.buffer, chosen.buffer,
      ]); // prettier-ignore
      const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: chosen.tensor };
      return { kind: 'sparse', rows, latents, ...list };
    } finally {
      for (const buffer of taken) backend.give(buffer);
      disposeEntries(candidates);
    }
  }
}

/** Of a share without any of the latents that are chosen among; the lists have a place that nothing reads. */
function noEntries(rows: number, latents: number): SparseEntries {
  return sparseEntries(latents, new Int32Array(rows + 1), new Int32Array(1), new Float32Array(1));
}
