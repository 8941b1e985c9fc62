/**
 * Gradients and Adam for one dictionary: entries are regrouped by latent, a workgroup for each latent updates the latent's rows of both
 * matrices, and then the biases are updated. Gradients of matrices are not written to memory, except where z was kept as a matrix;
 * clipping by norm computes them twice instead.
 */
import type { Computed } from '../../ops/computed.ts';
import type {
  AdamSettings,
  DictionaryTensors,
  DictionaryVariables,
  GradientRequest,
} from '../../ops/fusedKernels.ts';
import { kernelParameters } from '../../ops/kernelParameters.ts';
import { referenceGradients } from '../../ops/referenceUpdate.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Tf, type Variable } from '../../tensor/tf.ts';
import { isOneDenseTerm, matrixGradients } from './denseEntries.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import type { DeviceSums } from './deviceSums.ts';
import { type HalfCopies, inFull } from './halfCopies.ts';
import { vectorUpdate } from './kernels/adam.ts';
import { gate } from './kernels/gate.ts';
import { type Purpose, rowUpdate, type Source } from './kernels/rowUpdate.ts';
import { clipScale, joinColumns, joinGroups, rowSquares } from './kernels/sums.ts';
import { latentTable } from './latentTable.ts';
import type { Groups, Programs } from './programs.ts';
import { type LatentVector, regroup, type Regrouped } from './regroup.ts';

interface Moments {
  readonly first: DictionaryVariables;
  readonly second: DictionaryVariables;
}

/** Entries regrouped by latent. */
interface OfLatents extends Regrouped {
  /** The workgroups of the kernels that update the rows of the matrices, one for each latent. */
  readonly groups: Groups;
  /** [outputs]: ∂b_dec. */
  readonly bDec: Tensor;
}

/** Whether gradients are written to memory: those of a dense matrix. */
const isGiven = ({ main }: GradientRequest) => main.entries.kind === 'dense';

export class DictionaryUpdate {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;
  readonly #sums: DeviceSums;
  readonly #copies: HalfCopies;
  readonly #device: { backend: DeviceBackend; programs: Programs };

  constructor(backend: DeviceBackend, programs: Programs, sums: DeviceSums, copies: HalfCopies) {
    this.#backend = backend;
    this.#programs = programs;
    this.#sums = sums;
    this.#copies = copies;
    this.#device = { backend, programs };
  }

  gradients(request: GradientRequest): DictionaryTensors {
    if (isGiven(request)) return this.#given(request);
    const { latents, d, outputs } = sizes(request);
    const made = tf.tidy(() => {
      const regrouped = this.#regroup(request);
      const wEnc = this.#backend.scratch([latents, d], 'float32') as Tensor2D;
      const wDec = this.#backend.scratch([latents, outputs], 'float32') as Tensor2D;
      this.#encoderRows(request, regrouped, { kind: 'gradient' }, [wEnc]);
      this.#decoderRows(request, regrouped, { kind: 'gradient' }, [wDec]);
      const part = (at: number) =>
        tf.slice(regrouped.sums, [at, 0], [1, latents]).reshape<Tensor1D>([latents]);
      const vectors = Object.fromEntries(regrouped.vectors.map((name, at) => [name, part(at)]));
      return { wEnc, bEnc: part(0), wDec, bDec: regrouped.bDec as Tensor1D, ...vectors };
    });
    return { logThreshold: null, ...made };
  }

  apply(request: GradientRequest, moments: Moments, adam: AdamSettings): void {
    tf.tidy(() => {
      if (isGiven(request)) this.#applyGiven(request, moments, adam);
      else this.#applyEntries(request, moments, adam);
    });
  }

  /** Adam's step of W_skip from its gradient [outputs, d], clipped by its own norm. */
  applySkip(request: GradientRequest, gradient: Tensor2D, moments: Moments, adam: AdamSettings): void {
    tf.tidy(() => {
      const [outputs] = gradient.shape;
      const { clipNorm } = adam;
      let clip: Tensor | null = null;
      if (clipNorm !== null) {
        const squares = this.#backend.scratch([outputs], 'float32');
        this.#squares(gradient, squares, 0);
        clip = this.#clipScale({ squares: outputs, vectors: 0, d: 0, clipNorm }, [squares, squares, squares]);
      }
      const program = vectorUpdate({ length: gradient.size, offset: 0 }, adam);
      const rest = operands(request.parameters, moments, 'wSkip', clip);
      const groups = this.#groups(request, [gradient.size]);
      this.#programs.run(program, [gradient, ...rest], groups(Math.ceil(gradient.size / 64)));
    });
  }

  #applyEntries(request: GradientRequest, moments: Moments, adam: AdamSettings): void {
    const { parameters } = request;
    const { latents, outputs } = sizes(request);
    const regrouped = this.#regroup(request);
    const { sums, bDec, vectors } = regrouped;
    const clip = this.#clip(adam, request, { ...regrouped, vectors: vectors.length }, (squares) => {
      this.#encoderRows(request, regrouped, { kind: 'norm', offset: 0 }, [squares]);
      this.#decoderRows(request, regrouped, { kind: 'norm', offset: latents }, [squares]);
    });
    const groups = this.#groups(request);
    const decided = { ...regrouped, groups: groups(latents) };
    this.#matrix('wEnc', request, moments, { adam, clip }, (...step) =>
      this.#encoderRows(request, decided, ...step),
    );
    this.#matrix('wDec', request, moments, { adam, clip }, (...step) =>
      this.#decoderRows(request, decided, ...step),
    );
    const vector = (name: LatentVector | 'bDec', gradient: Tensor, offset: number, length: number) =>
      this.#programs.run(
        vectorUpdate({ length, offset }, adam),
        [gradient, ...operands(parameters, moments, name, clip)],
        groups(Math.ceil(length / 64)),
      );
    vectors.forEach((name, at) => vector(name, sums, at * latents, latents));
    vector('bDec', bDec, 0, outputs);
  }

  /** Gradients in memory. */
  #given(request: GradientRequest): DictionaryTensors {
    if (!isOneDenseTerm(request)) return referenceGradients(request);
    const table = tf.tidy(() => latentTable(this.#device, request));
    const bDec = (slopes: Tensor) => this.#decoderBias(request, slopes);
    const gradients = matrixGradients(this.#device, request, table, bDec);
    table.dispose();
    return gradients;
  }

  /** The update from gradients that are in memory. */
  #applyGiven(request: GradientRequest, moments: Moments, adam: AdamSettings): void {
    const { parameters, blocks } = request;
    const { latents, outputs } = sizes(request);
    const gradients = this.#given(request);
    const { wEnc, bEnc, wDec, bDec, logThreshold, rMag, bMag } = gradients;
    const others = [logThreshold, rMag, bMag].filter((vector) => vector !== null && vector !== undefined);
    const vectors = others.length > 0 ? tf.concat([bEnc, ...others]) : bEnc;
    const clip = this.#clip(adam, request, { sums: vectors, bDec, vectors: 1 + others.length }, (squares) => {
      [wEnc, wDec].forEach((gradient, i) => this.#squares(gradient, squares, i * latents));
    });
    const groups = this.#groups(request);
    for (const name of kernelParameters) {
      const gradient = gradients[name];
      if (!gradient) continue;
      if (name === 'wDec') {
        this.#matrix(name, request, moments, { adam, clip }, (purpose, rest) => {
          const size = { latents, d: outputs, secondRows: 0, blocks };
          const program = rowUpdate(size, { kind: 'given' }, purpose);
          this.#programs.run(program, [gradient, ...rest], groups(latents));
        });
      } else {
        const length = gradient.size;
        const program = vectorUpdate({ length, offset: 0 }, adam);
        const rest = operands(parameters, moments, name, clip);
        this.#programs.run(program, [gradient, ...rest], groups(Math.ceil(length / 64)));
      }
      gradient.dispose();
    }
  }

  /** Updates a matrix together with its copy in 16 bits; `run` records the kernel for `purpose` with the operands `rest`. */
  #matrix(
    name: 'wEnc' | 'wDec',
    { parameters }: GradientRequest,
    moments: Moments,
    { adam, clip }: { adam: AdamSettings; clip: Tensor | null },
    run: (purpose: Purpose, rest: readonly Tf.TensorInfo[]) => void,
  ): void {
    this.#copies.rewrite(parameters[name] as Tensor2D, (copy) =>
      run({ kind: 'adam', adam, copied: copy.length > 0 }, [
        ...operands(parameters, moments, name, clip),
        ...copy,
      ]),
    );
  }

  /**
   * Gives the workgroups of a kernel that changes parameters or moments, from their number; the device makes it none if it finds that
   * the entries have the wrong form. `more` are lengths of what is changed besides the parameters that every dictionary has.
   */
  #groups(request: GradientRequest, more: readonly number[] = []): (wanted: number) => Groups {
    const { listed } = request.main.entries;
    if (!listed || typeof listed.count === 'number') return (wanted) => wanted;
    const { latents, d, outputs } = sizes(request);
    const lengths = [latents, outputs, latents * d, ...more];
    const all = [latents, ...lengths.map((length) => Math.ceil(length / 64))];
    const counts = this.#backend.groupCounts(all.length);
    const program = gate(
      listed,
      all.map((wanted) => this.#programs.folded(wanted)),
    );
    this.#programs.run(program, [listed.count, counts], 1);
    return (wanted) => ({ counts, place: all.indexOf(wanted) });
  }

  /** [1]: the factor that gradients are multiplied by for clipping; null where they are not clipped. */
  #clip(
    { clipNorm }: AdamSettings,
    request: GradientRequest,
    { sums, bDec, vectors }: Pick<OfLatents, 'sums' | 'bDec'> & { vectors: number },
    fill: (squares: Tensor) => void,
  ): Tensor | null {
    if (clipNorm === null) return null;
    const { latents, outputs } = sizes(request);
    const squares = this.#backend.scratch([2 * latents], 'float32');
    fill(squares);
    const size = { squares: 2 * latents, vectors: vectors * latents, d: outputs, clipNorm };
    return this.#clipScale(size, [squares, sums, bDec]);
  }

  #clipScale(size: Parameters<typeof clipScale>[0], operands: readonly Tensor[]): Tensor {
    const clip = this.#backend.scratch([1], 'float32');
    this.#programs.run(clipScale(size), [...operands, clip], 1);
    return clip;
  }

  /** Writes the squared norms of the rows of a matrix to `squares`, from `offset` on. */
  #squares(matrix: Tensor, squares: Tensor, offset: number): void {
    const [rows, d] = matrix.shape;
    const program = rowSquares({ rows, d, centred: false, root: false, offset });
    this.#programs.run(program, [matrix, squares], rows);
  }

  #encoderRows(
    request: GradientRequest,
    by: OfLatents,
    purpose: Purpose,
    rest: readonly Tf.TensorInfo[],
  ): void {
    const { latents, d } = sizes(request);
    const { parameters, subtractsDecoderBias } = request;
    const x = this.#copies.stored(request.x, subtractsDecoderBias ? (parameters.bDec as Tensor1D) : null);
    const source: Source = { kind: 'encoder', centred: x.centre !== null, storage: x.storage };
    const program = rowUpdate({ latents, d, secondRows: by.secondRows }, source, purpose);
    const centre = x.centre ? [x.centre] : [];
    this.#programs.run(program, [by.start, by.list, x.tensor, ...centre, ...rest], by.groups);
  }

  #decoderRows(
    request: GradientRequest,
    by: OfLatents,
    purpose: Purpose,
    rest: readonly Tf.TensorInfo[],
  ): void {
    const { latents, rows, outputs } = sizes(request);
    const { main, l1, parameters, blocks } = request;
    const { errors, secondRows, secondErrors } = by;
    const nested = main.prefixes && { rows, prefixes: main.prefixes };
    // The coefficients in the list include the scale of their loss term.
    const source: Source = {
      kind: 'decoder',
      errors: errors.kind,
      l1: l1 === 0 ? 0 : l1 / plain(main.scale),
    };
    const size = { latents, d: outputs, secondRows, errorRows: errors.rows, secondErrors, nested, blocks };
    const row = purpose.kind !== 'adam' && l1 !== 0 ? [parameters.wDec] : [];
    this.#programs.run(
      rowUpdate(size, source, purpose),
      [by.start, by.list, ...errors.tensors, ...row, ...rest],
      by.groups,
    );
  }

  #regroup(request: GradientRequest): OfLatents {
    const regrouped = regroup(this.#device, this.#copies, request);
    const { latents } = sizes(request);
    return { ...regrouped, groups: latents, bDec: this.#decoderBias(request, regrouped.slopes) };
  }

  /** [outputs]: ∂b_dec, from the sums [latents, …] of what reaches W_enc. */
  #decoderBias(request: GradientRequest, slopes: Tensor): Tensor1D {
    const { parameters, main, subtractsDecoderBias } = request;
    const { rows, outputs: d } = sizes(request);
    // Of nested reconstructions the first block is the sum of all.
    const error = this.#sums.columns({ ...inFull(main.error), shape: [rows, d] }, null);
    const through = subtractsDecoderBias
      ? this.#sums.columns(this.#copies.stored(parameters.wEnc as Tensor2D), slopes)
      : null;
    const scale = plainOrNull(main.scale);
    const bDec = this.#backend.scratch([d], 'float32') as Tensor1D;
    const join = joinColumns({
      d,
      blocks: error.blocks,
      factor: scale ?? 1,
      scaled: scale === null,
      less: through?.blocks ?? 0,
    });
    this.#programs.run(
      join,
      [
        error.sums,
        bDec,
        ...(scale === null ? [main.scale as Tensor] : []),
        ...(through ? [through.sums] : []),
      ],
      [joinGroups({ d, blocks: error.blocks, less: through?.blocks }), 1],
    );
    return bDec;
  }
}

function sizes({ main, x }: GradientRequest) {
  const [rows, d] = x.shape;
  return { latents: main.entries.latents, rows, d, outputs: main.error.shape[1] };
}

function operands(
  parameters: DictionaryVariables,
  { first, second }: Moments,
  name: keyof DictionaryVariables,
  clip: Tensor | null,
): Tensor[] {
  const all = [parameters[name], first[name], second[name]].filter(
    (v): v is Variable => v !== null && v !== undefined,
  );
  return [...all, ...(clip ? [clip] : [])];
}

const plainOrNull = (value: Computed): number | null => (typeof value === 'number' ? value : null);
const plain = (value: Computed): number => {
  if (typeof value !== 'number') throw new Error('An L1 term needs the scale of its main term at hand.');
  return value;
};
