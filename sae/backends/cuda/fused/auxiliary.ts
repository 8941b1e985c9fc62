/**
 * AuxK over the dead latents alone; see source/fusedAuxiliary.cu. Their number is known only to the device, and to the host that sends it: memory and
 * products have room for a power of two of them, so that a captured step serves the next one as long as no more are dead than that, and the same
 * bits come of it kernel by kernel.
 *
 * AuxK keeps half as many latents of a row as the row has numbers, which is a large part of those that are dead. So activations of the dead latents are
 * a matrix, decoded by a product, and gradients are products too. Only where there are so many dead latents that products would take longer
 * are entries listed, as those of the main term are.
 */
import type { AuxiliaryChoice, AuxiliaryTerm, Encoder } from '../../../ops/fusedKernels.ts';
import { disposeComputed } from '../../../ops/computed.ts';
import { disposeEntries, type SparseEntries } from '../../../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { centred, checkEntries, multiply } from './preActivations.ts';
import type { Reconstructions } from './reconstruct.ts';
import { selectRows } from './topK.ts';

const file = 'fusedAuxiliary.cu';
const [threads, selectThreads] = [256, 512];
/** Rows that a block of `maskDots` goes through. */
const rowsAtOnce = 64;
const fewestPlaces = 32;

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

/** For how many dead latents there is room where so many are dead, of all `latents`. */
export function placesFor(dead: number, latents = Infinity): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(dead, fewestPlaces)));
  return Math.min(power, Math.ceil(latents / 8) * 8);
}

/** What the kernels find in `choice`: how many latents are dead, the numerator's bits, and which they are. */
export function wordsOf({ dead, numerator }: AuxiliaryChoice): Int32Array {
  const words = new Int32Array(2 + dead.length);
  words[0] = dead.length;
  new Float32Array(words.buffer, 4, 1)[0] = numerator;
  words.set(dead, 2);
  return words;
}

interface Problem {
  readonly x: Tensor2D;
  readonly encoder: Encoder;
  readonly wDec: Tensor2D;
  readonly error: Tensor2D;
  readonly choice: DeviceBuffer;
  readonly most: number;
  readonly width: number;
}

export class Auxiliary {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #reconstructions: Reconstructions;
  readonly #options: AuxiliaryOptions;

  constructor(
    programs: FusedPrograms,
    sums: DeviceSums,
    reconstructions: Reconstructions,
    options: AuxiliaryOptions,
  ) {
    this.#programs = programs;
    this.#sums = sums;
    this.#reconstructions = reconstructions;
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
    const width = placesFor(given.dead.length, latents);
    const { blockBytes, placesAnEntry = mostPlacesAnEntry } = this.#options;
    const byProducts = width <= placesAnEntry * most && 4 * rows * width <= blockBytes;
    return this.#withChoice(given, width, latents, (choice) => {
      const variance = this.#sums.varianceAboutMean(error);
      const scale = this.#programs.output<Scalar>([], 'float32');
      const of = [choice, backend.buffer(variance), scale.buffer];
      this.#programs.run(file, 'scaleOfTerm', [1, 1], of);
      const problem = { x, encoder, wDec, error, choice, most, width };
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

  /** Calls `use` with the choice in memory of the device. */
  #withChoice<T>(
    given: AuxiliaryChoice,
    width: number,
    latents: number,
    use: (choice: DeviceBuffer) => T,
  ): T {
    const { backend } = this.#programs;
    const { recording } = backend;
    if (recording) {
      recording.onlyWhere(
        ({ auxiliary }) =>
          auxiliary !== null &&
          auxiliary.most === given.most &&
          placesFor(auxiliary.dead.length, latents) === width,
      );
      if (!recording.choice)
        throw new TypeError('A step that is recorded has to say what AuxK chooses from.');
      return use(recording.choice);
    }
    return this.#programs.scratch(4 * (2 + width), (choice) => {
      backend.transfers.upload(wordsOf(given), choice);
      return use(choice);
    });
  }

  /** Activations, dots and gradients as matrices of the places. */
  #products({ x, encoder, wDec, error, choice, most, width }: Problem) {
    const { backend } = this.#programs;
    const { products } = backend;
    const [[rows, d], [latents, outputs]] = [x.shape, wDec.shape];
    const places = this.#programs.output<Tensor1D>([latents], 'int32');
    const wEnc = this.#programs.output<Tensor2D>([width, d], 'float32');
    const bEnc = this.#programs.output<Tensor1D>([width], 'float32');
    const ofDecoder = this.#programs.output<Tensor2D>([width, outputs], 'float32');
    // What is left over is −error, so that the auxiliary reconstruction's own error is the sum of both.
    const explained = backend.scratch(4 * rows * outputs);
    backend.copy(backend.buffer(error), explained, 4 * rows * outputs);
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
        const chosen = [choice, bias, activations, most, width];
        this.#programs.run(file, 'keepLargest', [rows, selectThreads], chosen);
      });
      this.#programs.scratch(4 * width * outputs, (rowsOfDecoder) => {
        this.#gather(choice, wDec, width, rowsOfDecoder);
        const decoded = { m: rows, n: outputs, k: width, a: activations, b: rowsOfDecoder, c: explained };
        products.multiply({ ...decoded, type: 'f32', beta: 1 });
        multiply(this.#programs, explained, rowsOfDecoder, [0, rows, outputs, width], dots);
      });
      this.#maskDots(activations, dots, bEnc.buffer, [rows, width]);
      const gradient = { m: width, k: rows, transposeA: true, type: 'f32' } as const;
      products.multiply({ ...gradient, n: outputs, a: activations, b: explained, c: ofDecoder.buffer });
      products.multiply({ ...gradient, n: d, a: dots, b: from, c: wEnc.buffer });
      return this.#programs.scratch(4 * rows, (squares) => {
        this.#sums.rowSquares(explained, [rows, outputs], null, squares);
        return this.#sums.total(squares, rows);
      });
    });
    for (const buffer of [explained, activations, dots]) backend.give(buffer);
    const tensors = [places.tensor, wEnc.tensor, bEnc.tensor, ofDecoder.tensor];
    return {
      term: { places: places.tensor, wEnc: wEnc.tensor, bEnc: bEnc.tensor, wDec: ofDecoder.tensor },
      squaredError,
      dispose: () => tf.dispose(tensors),
    };
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
  #list({ x, encoder, wDec, error, choice, most, width }: Problem) {
    const { backend } = this.#programs;
    const [[rows, d], [latents]] = [x.shape, wDec.shape];
    const k = Math.min(most, width);
    checkEntries(rows * k);
    const entries = this.#programs.scratch(4 * width * d, (rowsOfEncoder) =>
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
