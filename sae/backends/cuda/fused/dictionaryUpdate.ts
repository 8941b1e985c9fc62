/**
 * Gradients and Adam for one dictionary: entries are regrouped by latent, a block for each latent updates the latent's rows of both
 * matrices, and then the biases are updated. Gradients of matrices are not written to memory, except where z was kept as a
 * matrix; clipping by norm computes them twice instead.
 */
import type { AdamSettings, DictionaryTensors, DictionaryVariables, GradientRequest } from '../../../ops/fusedKernels.ts'; // prettier-ignore
import { kernelParameters } from '../../../ops/kernelParameters.ts';
import { referenceGradients } from '../../../ops/referenceUpdate.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D, type Variable } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Argument } from '../programs.ts';
import { Contributions, type Contributed, type SumName } from './contributions.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import { type FusedPrograms, partOf } from './fusedPrograms.ts';
import type { EncoderCopies, NarrowRows } from './encoderCopies.ts';
import type { UpdateAcross } from './updateAcross.ts';
import { idle, noList, noPlaces, settings } from './updateArguments.ts';

export interface Moments {
  readonly first: DictionaryVariables;
  readonly second: DictionaryVariables;
}

const file = 'fusedUpdate.cu';
const vectorThreads = 256;
/** PURPOSE of updateRows. */
const purposes = { gradient: 0, norm: 1, adam: 2 } as const;

/** What the kernels need for an Adam step besides the tensors. */
interface Step {
  readonly adam: AdamSettings;
  /** [1]: the factor that gradients are multiplied by for clipping; null where they are not clipped. */
  readonly clip: DeviceBuffer | null;
  /** The count of entries and its limits; the kernels change nothing where it is outside of them. */
  readonly gate: readonly [DeviceBuffer | null, number, number];
  /** The copies that are to be rewritten, where there are any. */
  readonly copy: Readonly<Record<Matrix, NarrowRows | null>>;
}

/** Where updateRows finds the gradient of a matrix; the order is that of its parameters. */
type Source = readonly [...Argument[]];
type Matrix = 'wEnc' | 'wDec';

export class DictionaryUpdate {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #contributions: Contributions;
  readonly #copies: EncoderCopies;
  readonly #across: UpdateAcross | null;

  /** `across`, where other devices have further latents of the dictionary. */
  constructor(
    programs: FusedPrograms,
    sums: DeviceSums,
    byLatent: EntriesByLatent,
    copies: EncoderCopies,
    across: UpdateAcross | null = null,
  ) {
    this.#across = across;
    this.#programs = programs;
    this.#sums = sums;
    this.#copies = copies;
    this.#contributions = new Contributions(programs, byLatent);
  }

  gradients(request: GradientRequest): DictionaryTensors {
    const { latents, d, outputs } = sizes(request);
    if (request.main.entries.kind === 'dense') return this.#givenGradients(request);
    const [wEnc, wDec] = [d, outputs].map((width) =>
      this.#programs.output<Tensor2D>([latents, width], 'float32'),
    );
    const bDec = this.#programs.output<Tensor1D>([outputs], 'float32');
    return this.#contributions.use(request, (contributed) => {
      this.#decoderBias(request, contributed.sums, bDec.buffer);
      this.#rows('wEnc', 'gradient', request, [
        ...this.#encoderSource(request, contributed), this.#of(request.parameters.wEnc), null, null, wEnc.buffer,
        ...idle,
      ]); // prettier-ignore
      this.#rows('wDec', 'gradient', request, [
        ...this.#decoderSource(request, contributed), this.#of(request.parameters.wDec), null, null, wDec.buffer,
        ...idle,
      ]); // prettier-ignore
      const vector = (name: SumName) => {
        const out = this.#programs.output<Tensor1D>([latents], 'float32');
        this.#programs.backend.copy(contributed.sums, out.buffer, 4 * latents, contributed.offset(name));
        return out.tensor;
      };
      return {
        logThreshold: request.jump ? vector('logThreshold') : null,
        wEnc: wEnc.tensor,
        bEnc: vector('bEnc'),
        wDec: wDec.tensor,
        bDec: bDec.tensor,
        ...(request.gate && { rMag: vector('rMag'), bMag: vector('bMag') }),
      };
    });
  }

  apply(request: GradientRequest, moments: Moments, adam: AdamSettings): void {
    const { wEnc, bEnc, wDec } = request.parameters;
    const copies = () => ({ wEnc: this.#copies.current(wEnc, bEnc), wDec: this.#copies.current(wDec, null) });
    const copy = copies();
    this.#programs.backend.recording?.onlyWhere(() => {
      const now = copies();
      return now.wEnc === copy.wEnc && now.wDec === copy.wDec;
    });
    if (request.main.entries.kind === 'dense') this.#applyGiven(request, moments, adam, copy);
    else this.#applyEntries(request, moments, adam, copy);
    const { backend } = this.#programs;
    const changed = () => {
      for (const name of kernelParameters)
        for (const group of [request.parameters, moments.first, moments.second]) {
          const variable = group[name];
          if (variable) backend.changed(variable);
        }
      if (copy.wEnc) this.#copies.keep(copy.wEnc, wEnc, bEnc);
      if (copy.wDec) this.#copies.keep(copy.wDec, wDec, null);
    };
    changed();
    backend.recording?.afterReplay(changed);
  }

  /** Adam's step of W_skip from its gradient [outputs, d], clipped by its own norm. */
  applySkip(request: GradientRequest, gradient: Tensor2D, moments: Moments, adam: AdamSettings): void {
    const [rows] = gradient.shape;
    const own = this.#of(gradient);
    this.#programs.scratch(4, (clip) => {
      if (adam.clipNorm !== null)
        this.#programs.scratch(4 * rows, (squares) => {
          this.#sums.rowSquares(own, gradient.shape, null, squares);
          this.#sums.clipScale(squares, rows, [squares, 0], [squares, 0], adam.clipNorm ?? 0, clip);
        });
      const step = { adam, clip: adam.clipNorm === null ? null : clip, gate: this.#gate(request) };
      this.#vector('wSkip', own, gradient.size, request, moments, step);
    });
    const { backend } = this.#programs;
    const changed = () => {
      for (const { wSkip } of [request.parameters, moments.first, moments.second])
        if (wSkip) backend.changed(wSkip);
    };
    changed();
    backend.recording?.afterReplay(changed);
  }

  #applyEntries(
    request: GradientRequest,
    moments: Moments,
    adam: AdamSettings,
    copy: Readonly<Record<Matrix, NarrowRows | null>>,
  ): void {
    const { latents, outputs } = sizes(request);
    const vectors = (['bEnc', 'logThreshold', 'rMag', 'bMag'] as const).filter((name) =>
      isTrained(request, name),
    );
    this.#contributions.use(request, (contributed) =>
      this.#programs.scratch(4 * outputs, (bDec) => {
        this.#decoderBias(request, contributed.sums, bDec);
        const [encoder, decoder] = [
          this.#encoderSource(request, contributed),
          this.#decoderSource(request, contributed),
        ];
        const norms = (squares: DeviceBuffer) => {
          const rest = (at: bigint) => [null, null, at, ...idle];
          const [upper, lower] = [partOf(squares, 0), partOf(squares, 4 * latents)];
          this.#rows('wEnc', 'norm', request, [
            ...encoder,
            this.#of(request.parameters.wEnc),
            ...rest(upper),
          ]);
          this.#rows('wDec', 'norm', request, [
            ...decoder,
            this.#of(request.parameters.wDec),
            ...rest(lower),
          ]);
        };
        // The sums that belong to trained vectors are neighbours of those that are 0.
        const all = [contributed.part('bEnc'), 4 * latents] as const;
        this.#clipped(adam, request, norms, all, bDec, (clip) => {
          const step = { adam, clip, gate: this.#gate(request), copy };
          // The copy of W_enc has the new biases too, and the kernel for W_enc still needs the old b_dec.
          for (const name of vectors)
            this.#vector(name, contributed.part(name), latents, request, moments, step);
          this.#matrix('wEnc', encoder, request, moments, step);
          this.#matrix('wDec', decoder, request, moments, step);
          this.#vector('bDec', bDec, outputs, request, moments, step);
        });
      }),
    );
  }

  /** The update from gradients that are in memory. */
  #applyGiven(
    request: GradientRequest,
    moments: Moments,
    adam: AdamSettings,
    copy: Readonly<Record<Matrix, NarrowRows | null>>,
  ): void {
    const { latents } = sizes(request);
    const { recording } = this.#programs.backend;
    // TF.js's operations take it as a number.
    if (recording) recording.holdsPenalty = true;
    tf.tidy(() => {
      const gradients = this.#givenGradients(request);
      const { wEnc, bEnc, wDec, bDec, logThreshold, rMag, bMag } = gradients;
      const others = [logThreshold, rMag, bMag].filter((vector) => vector !== null && vector !== undefined);
      const vectors = others.length > 0 ? tf.concat([bEnc, ...others]) : bEnc;
      const norms = (squares: DeviceBuffer) =>
        [wEnc, wDec].forEach((gradient, i) =>
          this.#sums.rowSquares(this.#of(gradient), gradient.shape, null, partOf(squares, 4 * latents * i)),
        );
      this.#clipped(adam, request, norms, [this.#of(vectors), vectors.size], this.#of(bDec), (clip) => {
        const step = { adam, clip, gate: this.#gate(request), copy };
        // The copy of W_enc has the new biases too.
        for (const name of ['bEnc', ...kernelParameters.filter((name) => name !== 'bEnc')] as const) {
          const gradient = gradients[name];
          if (!gradient) continue;
          if (name === 'wEnc' || name === 'wDec')
            this.#matrix(
              name,
              [null, null, null, this.#of(gradient), ...noList, ...noPlaces, null, null, 0],
              request,
              moments,
              step,
              true,
            );
          else this.#vector(name, this.#of(gradient), gradient.size, request, moments, step);
        }
      });
    });
  }

  /** Calls `use` with the factor for clipping; `norms` writes the squared norms of the rows of both matrices. */
  #clipped(
    { clipNorm }: AdamSettings,
    request: GradientRequest,
    norms: (squares: DeviceBuffer) => void,
    vectors: readonly [DeviceBuffer | bigint, number],
    bDec: DeviceBuffer,
    use: (clip: DeviceBuffer | null) => void,
  ): void {
    if (clipNorm === null) {
      use(null);
      return;
    }
    const { latents, outputs } = sizes(request);
    this.#programs.scratch(4, (clip) => {
      this.#programs.scratch(8 * latents, (squares) => {
        norms(squares);
        const sums = this.#across ?? this.#sums;
        sums.clipScale(squares, 2 * latents, vectors, [bDec, outputs], clipNorm, clip);
      });
      use(clip);
    });
  }

  #gate({ main }: GradientRequest): Step['gate'] {
    const { listed } = main.entries;
    if (!listed || typeof listed.count === 'number') return [null, 0, 0];
    return [this.#of(listed.count), listed.least, listed.most];
  }

  #matrix(
    name: Matrix,
    source: Source,
    request: GradientRequest,
    moments: Moments,
    { adam, clip, gate, copy }: Step,
    given = false,
  ): void {
    const [w, first, second] = this.#operands(name, request, moments);
    const unitNorm = name === 'wDec' && adam.unitNormDecoder ? 1 : 0;
    const narrow = copy[name];
    const copied = narrow
      ? [name === 'wEnc' ? this.#of(request.parameters.bEnc) : null, narrow.rows, narrow.norms]
      : [null, null, null];
    const rest = [null, clip, unitNorm, ...settings(adam), this.#ofStep(), ...gate, ...copied] as const;
    const define = { GIVEN: given ? 1 : 0, NARROW: narrow ? 1 : 0 };
    this.#rows(name, 'adam', request, [...source, w, first, second, ...rest], define);
  }

  #vector(
    name: Exclude<keyof DictionaryVariables, Matrix>,
    gradient: DeviceBuffer | bigint,
    length: number,
    request: GradientRequest,
    moments: Moments,
    { adam, clip, gate }: Omit<Step, 'copy'>,
  ): void {
    this.#programs.run('fusedVector.cu', 'updateVector', [Math.ceil(length / vectorThreads), vectorThreads], [
      gradient, ...this.#operands(name, request, moments), clip, ...settings(adam), this.#ofStep(), ...gate, length,
    ]); // prettier-ignore
  }

  /** Where a recorded step finds what its settings don't say; see `adamOf` in source/adam.cuh. */
  #ofStep(): bigint | null {
    return this.#programs.backend.recording?.numbers.adam ?? null;
  }

  #operands(
    name: keyof DictionaryVariables,
    { parameters }: GradientRequest,
    { first, second }: Moments,
  ): DeviceBuffer[] {
    return [parameters, first, second].map((of) => {
      const variable = of[name];
      if (!variable)
        throw new TypeError(`A gradient of ${name} needs the parameter and both of its moments.`);
      return this.#of(variable);
    });
  }

  #rows(
    name: Matrix,
    purpose: keyof typeof purposes,
    request: GradientRequest,
    args: readonly Argument[],
    { GIVEN = 0, NARROW = 0 } = {},
  ): void {
    const { latents, d, outputs } = sizes(request);
    const width = name === 'wEnc' ? d : outputs;
    const blocks = name === 'wDec' ? (request.blocks ?? null) : null;
    const define = { BLOCKED: blocks ? 1 : 0, GIVEN, NARROW, PURPOSE: purposes[purpose] };
    const rest = [blocks && this.#programs.constant(blocks), blocks?.length ?? 0, width];
    this.#programs.runRows({ file, name: 'updateRows', define }, width, { blocks: latents }, [
      ...args,
      ...rest,
    ]);
  }

  #encoderSource(request: GradientRequest, { lists: [main, auxiliary] }: Contributed): Source {
    const x = this.#of(request.x);
    const centre = request.subtractsDecoderBias ? this.#of(request.parameters.bDec) : null;
    const second = auxiliary ? [auxiliary.start, auxiliary.ends, auxiliary.list, x] : noList;
    const places = this.#placeRows(request, 'wEnc');
    return [main.start, main.ends, main.list, x, ...second, ...places, centre, null, 1];
  }

  #decoderSource(request: GradientRequest, contributed: Contributed): Source {
    const { main, auxiliary, l1 } = request;
    const [first, second] = contributed.lists;
    const more =
      auxiliary && second ? [second.start, second.ends, second.list, this.#of(auxiliary.error)] : noList;
    const pulls = l1 === 0 ? null : contributed.part('pull');
    const places = this.#placeRows(request, 'wDec');
    return [first.start, first.ends, first.list, this.#of(main.error), ...more, ...places, null, pulls, 0];
  }

  /** Where updateRows finds what AuxK's gradients of rows add. */
  #placeRows({ auxiliaryRows: rows }: GradientRequest, name: Matrix): readonly Argument[] {
    if (!rows) return noPlaces;
    // Made by auxiliary.ts, which leaves the scale on the device.
    return [this.#of(rows.places), this.#of(rows[name]), this.#programs.number(rows.scale)[0]];
  }

  /** The gradients of an update whose entries are a matrix. */
  #givenGradients(request: GradientRequest): DictionaryTensors {
    const gradients = referenceGradients(request);
    // What the encoder of the latents at hand says is not all.
    if (this.#across) this.#decoderBias(request, this.#of(gradients.bEnc), this.#of(gradients.bDec));
    return gradients;
  }

  /**
   * ∂b_dec [outputs]: of what is added to the reconstruction and, where the encoder saw x − b_dec, of that; `slopes` [latents] are the sums of what reaches
   * it through the encoder. Of several devices the first adds what doesn't depend on latents, so that b_dec stays the same on all.
   */
  #decoderBias(request: GradientRequest, slopes: DeviceBuffer, out: DeviceBuffer): void {
    const { main, parameters, subtractsDecoderBias } = request;
    const { latents, rows, d, outputs } = sizes(request);
    // Of nested reconstructions the first block is the sum of all.
    const error = this.#sums.columns(this.#of(main.error), [rows, outputs], null);
    const through = subtractsDecoderBias
      ? this.#sums.columns(this.#of(parameters.wEnc), [latents, d], slopes)
      : null;
    const scale = this.#across?.addsShared === false ? 0 : main.scale;
    const write = (to: DeviceBuffer) => this.#sums.join(error, scale, through, to, outputs);
    if (this.#across) this.#across.sum(out, outputs, write);
    else write(out);
  }

  #of(tensor: Tensor | Variable): DeviceBuffer {
    return this.#programs.backend.buffer(tensor);
  }
}

function isTrained(
  { jump, gate }: GradientRequest,
  name: 'bEnc' | 'logThreshold' | 'rMag' | 'bMag',
): boolean {
  if (name === 'bEnc') return true;
  return name === 'logThreshold' ? jump !== null : gate !== undefined;
}

function sizes({ main, x }: GradientRequest) {
  const [rows, d] = x.shape;
  return { latents: main.entries.latents, rows, d, outputs: main.error.shape[1] };
}
