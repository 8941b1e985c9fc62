/**
 * AuxK over the dead latents alone; see source/fusedAuxiliary.cu. Their number is known only to the device, and to the host that sends it: memory and
 * products have room for a power of two of them, so that a captured step serves the next one as long as no more are dead than that, and the same
 * bits come of it kernel by kernel.
 *
 * AuxK keeps half as many latents of a row as the row has numbers, which is a large part of those that are dead. So activations of the dead latents are
 * a matrix, decoded by a product, and gradients are products too. Only where there are so many dead latents that products would take longer
 * are entries listed, as those of the main term are.
 *
 * Where the latents are spread over devices, each has its own dead ones. Where more are dead than a row keeps, they send each other what a row's largest
 * are, and what the products decode to is added up; whether a device lists entries is its own affair.
 */
import type { AuxiliaryChoice, AuxiliaryTerm, Encoder } from '../../../ops/fusedKernels.ts';
import { disposeComputed } from '../../../ops/computed.ts';
import { disposeEntries, type SparseEntries } from '../../../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { AuxiliaryAcross } from './auxiliaryAcross.ts';
import { placesFor, wordsOf } from './auxiliaryPlaces.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { Product } from '../products.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { centred, checkEntries, multiply } from './preActivations.ts';
import type { Reconstructions } from './reconstruct.ts';
import type { Reach } from './spreadTopK.ts';
import { selectRows } from './topK.ts';

const file = 'fusedAuxiliary.cu';
const [threads, selectThreads] = [256, 512];
/** Rows that a block of `maskDots` goes through. */
const rowsAtOnce = 64;

/**
 * *Estimate* for an H100 or H200: an entry of a list costs 16·d bytes, which come from the L2 cache at some 5.7 TB/s (measured: `reconstruct` on an H200),
 * and a place of a row in four more products costs 8·d operations, at 50 TFLOP/s in 32 bits (measured). So products take longer from about 17 places an entry.
 */
const mostPlacesAnEntry = 16;

export interface AuxiliaryOptions {
  /** Most bytes of one matrix of activations. */
  readonly blockBytes: number;
  /** Dead latents for each that a row keeps, beyond which entries are listed. */
  readonly placesAnEntry?: number | undefined;
}

/** W_dec's rows and the activations that they are decoded with. */
type Decoded = Omit<Product, 'c' | 'beta'>;

interface Problem {
  readonly x: Tensor2D;
  readonly encoder: Encoder;
  readonly wDec: Tensor2D;
  readonly error: Tensor2D;
  readonly choice: DeviceBuffer;
  readonly most: number;
  readonly width: number;
  readonly reach: Reach | null;
}

export class Auxiliary {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #reconstructions: Pick<Reconstructions, 'reconstruct'>;
  readonly #options: AuxiliaryOptions;
  readonly #across: AuxiliaryAcross | null;

  /** `across`, where other devices have further latents of the dictionary. */
  constructor(
    programs: FusedPrograms,
    sums: DeviceSums,
    reconstructions: Reconstructions,
    options: AuxiliaryOptions,
    across: AuxiliaryAcross | null = null,
  ) {
    this.#across = across;
    this.#programs = programs;
    this.#sums = sums;
    this.#reconstructions = across?.reconstructions ?? reconstructions;
    this.#options = options;
  }

  term(
    x: Tensor2D,
    { encoder, wDec }: { readonly encoder: Encoder; readonly wDec: Tensor2D },
    error: Tensor2D,
    given: AuxiliaryChoice,
  ): AuxiliaryTerm {
    const { backend } = this.#programs;
    const [rows] = x.shape;
    const [latents] = encoder.wEnc.shape;
    const { most } = given;
    const width = this.#width(given, latents);
    const { blockBytes, placesAnEntry = mostPlacesAnEntry } = this.#options;
    const byProducts = width <= placesAnEntry * most && 4 * rows * width <= blockBytes;
    return this.#withChoice(given, width, latents, (choice) => {
      const variance = this.#sums.varianceAboutMean(error);
      const scale = this.#programs.output<Scalar>([], 'float32');
      const of = [choice, backend.buffer(variance), scale.buffer];
      this.#programs.run(file, 'scaleOfTerm', [1, 1], of);
      const reach = this.#across?.reach(given) ?? null;
      const problem = { x, encoder, wDec, error, choice, most, width, reach };
      const made = byProducts ? this.#products(problem) : this.#list(problem);
      return {
        ...made,
        term: { ...made.term, scale: scale.tensor },
        variance,
        dispose() {
          made.dispose();
          disposeComputed(scale.tensor, variance, made.squaredError);
        },
      };
    });
  }

  #width(choice: AuxiliaryChoice, latents: number): number {
    return placesFor(this.#across?.count(choice) ?? choice.dead.length, latents);
  }

  /** Calls `use` with the choice in memory of the device. */
  #withChoice<T>(
    given: AuxiliaryChoice,
    width: number,
    latents: number,
    use: (choice: DeviceBuffer) => T,
  ): T {
    const { backend } = this.#programs;
    const { recording } = backend;
    const across = this.#across;
    if (recording) {
      const sends = across?.sends(given);
      recording.onlyWhere(
        ({ auxiliary }) =>
          auxiliary !== null &&
          auxiliary.most === given.most &&
          this.#width(auxiliary, latents) === width &&
          across?.sends(auxiliary) === sends,
      );
      if (!recording.choice)
        throw new TypeError('A step that is recorded has to say what AuxK chooses from.');
      return use(recording.choice);
    }
    return this.#programs.scratch(4 * (2 + width), (choice) => {
      backend.transfers.upload(wordsOf(across?.own(given) ?? given), choice);
      return use(choice);
    });
  }

  /** Activations, dots and gradients as matrices of the places. */
  #products(problem: Problem) {
    const { x, encoder, wDec, error, choice, width } = problem;
    const { backend } = this.#programs;
    const { products } = backend;
    const [[rows, d], [latents, outputs]] = [x.shape, wDec.shape];
    const places = this.#programs.output<Tensor1D>([latents], 'int32');
    const wEnc = this.#programs.output<Tensor2D>([width, d], 'float32');
    const bEnc = this.#programs.output<Tensor1D>([width], 'float32');
    const ofDecoder = this.#programs.output<Tensor2D>([width, outputs], 'float32');
    const explained = backend.scratch(4 * rows * outputs);
    const [activations, dots] = [backend.scratch(4 * rows * width), backend.scratch(4 * rows * width)];
    const squaredError = centred(this.#programs, x, encoder, (from) => {
      this.#programs.scratch(4 * width * d, (rowsOfEncoder) => {
        this.#gather(choice, encoder.wEnc, width, rowsOfEncoder);
        multiply(this.#programs, from, rowsOfEncoder, [0, rows, d, width], activations);
      });
      this.#programs.scratch(4 * width, (bias) => {
        backend.fill(places.buffer, 0xffffffff, latents);
        const across = [Math.ceil(width / threads), threads] as const;
        const to = [bias, places.buffer, width];
        this.#programs.run(file, 'gatherPlaces', across, [choice, backend.buffer(encoder.bEnc), ...to]);
        this.#keepLargest(problem, bias, activations);
      });
      const squares = this.#programs.scratch(4 * width * outputs, (rowsOfDecoder) => {
        this.#gather(choice, wDec, width, rowsOfDecoder);
        const decoded = { m: rows, n: outputs, k: width, a: activations, b: rowsOfDecoder } as const;
        const sum = this.#explained({ ...decoded, type: 'f32' }, error, explained);
        multiply(this.#programs, explained, rowsOfDecoder, [0, rows, outputs, width], dots);
        return sum;
      });
      this.#maskDots(activations, dots, bEnc.buffer, [rows, width]);
      const gradient = { m: width, k: rows, transposeA: true, type: 'f32' } as const;
      products.multiply({ ...gradient, n: outputs, a: activations, b: explained, c: ofDecoder.buffer });
      products.multiply({ ...gradient, n: d, a: dots, b: from, c: wEnc.buffer });
      return squares;
    });
    for (const buffer of [explained, activations, dots]) backend.give(buffer);
    const tensors = [places.tensor, wEnc.tensor, bEnc.tensor, ofDecoder.tensor];
    return {
      term: { places: places.tensor, wEnc: wEnc.tensor, bEnc: bEnc.tensor, wDec: ofDecoder.tensor },
      squaredError,
      dispose: () => tf.dispose(tensors),
    };
  }

  /** Of the activations [rows, width], which the biases are still to be added to, the largest of each row stay. */
  #keepLargest(
    { x, choice, most, width, reach }: Problem,
    bias: DeviceBuffer,
    activations: DeviceBuffer,
  ): void {
    const [rows] = x.shape;
    const byRow = [rows, selectThreads] as const;
    if (!reach || !this.#across) {
      this.#programs.run(file, 'keepLargest', byRow, [choice, bias, activations, most, width]);
      return;
    }
    const have = Math.min(reach.each, width);
    const { topK } = this.#across;
    const room = 4 * rows * have;
    this.#programs.scratch(room, (values) => {
      this.#programs.scratch(room, (indices) =>
        this.#programs.scratch(
          4 * (rows + 1),
          (rowStart) =>
          this.#programs.run('fusedSelect.cu', 'selectTopK', byRow, [
            activations, bias, null, choice, width, have, 0, rows, rowStart, indices, values,
          ]), // prettier-ignore
        ),
      );
      topK.bars(values, { have, choice }, reach, [rows, most], ({ bars, ties }) =>
        this.#programs.run(file, 'keepOfRanks', byRow, [choice, bias, bars, ties, activations, width]),
      );
    });
  }

  /**
   * explained [rows, outputs] = the error plus what the activations of all devices decode to, and the sum of its squares: what is left over is −error, so
   * that this is the auxiliary reconstruction's own error.
   */
  #explained(decoded: Decoded, error: Tensor2D, explained: DeviceBuffer): Scalar {
    const { backend } = this.#programs;
    const { products } = backend;
    const [rows, outputs] = error.shape;
    if (this.#across) {
      const left = tf.neg(error);
      const decode = (sum: DeviceBuffer) => products.multiply({ ...decoded, c: sum });
      const total = this.#across.reconstructions.errorOf(decode, null, left, explained);
      left.dispose();
      return total;
    }
    backend.copy(backend.buffer(error), explained, 4 * rows * outputs);
    products.multiply({ ...decoded, c: explained, beta: 1 });
    return this.#programs.scratch(4 * rows, (squares) => {
      this.#sums.rowSquares(explained, [rows, outputs], null, squares);
      return this.#sums.total(squares, rows);
    });
  }

  /** dots [rows, width] of what fires, and the sum of each place's over the rows. */
  #maskDots(
    activations: DeviceBuffer,
    dots: DeviceBuffer,
    bEnc: DeviceBuffer,
    [rows, width]: readonly [number, number],
  ): void {
    const across = Math.ceil(width / threads);
    const groups = Math.ceil(rows / rowsAtOnce);
    this.#programs.scratch(4 * groups * width, (sums) => {
      const args = [activations, dots, sums, rows, rowsAtOnce, width];
      this.#programs.run(file, 'maskDots', [across * groups, threads], args);
      this.#programs.run(file, 'joinGroups', [across, threads], [sums, groups, bEnc, width]);
    });
  }

  /** Entries as those of the main term. */
  #list({ x, encoder, wDec, error, choice, most, width, reach }: Problem) {
    const { backend } = this.#programs;
    const [[rows, d], [latents]] = [x.shape, wDec.shape];
    const k = Math.min(reach?.each ?? most, width);
    checkEntries(rows * k);
    const listed = this.#programs.scratch(4 * width * d, (rowsOfEncoder) =>
      this.#programs.scratch(4 * width, (bias) => {
        this.#gather(choice, encoder.wEnc, width, rowsOfEncoder);
        this.#programs.scratch(4 * latents, (places) => {
          const args = [choice, backend.buffer(encoder.bEnc), bias, places, width];
          this.#programs.run(file, 'gatherPlaces', [Math.ceil(width / threads), threads], args);
        });
        const from = { w: rowsOfEncoder, bias, choice, candidates: width };
        const { blockBytes } = this.#options;
        return { kind: 'sparse', rows, latents, ...selectRows(this.#programs, x, encoder, k, from, blockBytes) } satisfies SparseEntries; // prettier-ignore
      }),
    );
    const entries =
      reach && this.#across ? this.#across.topK.kept(listed, { have: k, choice }, reach, most) : listed;
    const left = tf.neg(error);
    const explained = this.#reconstructions.reconstruct(entries, null, { wDec, bias: null }, left);
    left.dispose();
    return {
      term: { entries, error: explained.error, dots: explained.dots },
      squaredError: explained.squaredError,
      dispose() {
        disposeEntries(entries);
        tf.dispose([explained.error, explained.dots]);
      },
    };
  }

  #gather(choice: DeviceBuffer, w: Tensor2D, width: number, to: DeviceBuffer): void {
    const d = w.shape[1];
    const args = [choice, this.#programs.backend.buffer(w), to, d];
    this.#programs.runRows({ file: 'fusedRows.cu', name: 'gatherRows' }, d, { blocks: width }, args);
  }
}
