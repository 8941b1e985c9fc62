/** What the entries of each latent contribute to the gradients; see source/fusedContributions.cu. */
import type { GradientRequest, LossTerm } from '../../../ops/fusedKernels.ts';
import type { Entries, SparseEntries } from '../../../ops/sparseEntries.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import { type FusedPrograms, partOf } from './fusedPrograms.ts';

const file = 'fusedContributions.cu';
const threads = 256;
const latentsAtOnce = threads / 32;

/** The sums over each latent's contributions, in the kernel's order: what reaches b_dec through the encoder, gradients of vectors, the penalty's pull. */
const sumNames = ['slopes', 'bEnc', 'logThreshold', 'rMag', 'bMag', 'pull'] as const;
export type SumName = (typeof sumNames)[number];

/** One loss term's contributions. */
interface ContributionList {
  /** int32 [latents + 1]: where those of each latent begin. */
  readonly start: DeviceBuffer;
  /** int32 [latents]: where they end; entries that contribute nothing are left out. */
  readonly ends: DeviceBuffer;
  /** [entries, 4] */
  readonly list: DeviceBuffer;
}

export interface Contributed {
  /** Of the main and of the auxiliary term. */
  readonly lists: readonly [ContributionList, ContributionList?];
  /** [6, latents] */
  readonly sums: DeviceBuffer;
  /** Where a sum is in `sums`, in bytes. */
  offset(name: SumName): number;
  part(name: SumName): bigint;
}

export class Contributions {
  readonly #programs: FusedPrograms;
  readonly #byLatent: EntriesByLatent;

  constructor(programs: FusedPrograms, byLatent: EntriesByLatent) {
    this.#programs = programs;
    this.#byLatent = byLatent;
  }

  use<T>(request: GradientRequest, use: (contributed: Contributed) => T): T {
    const { main, auxiliary } = request;
    const { latents } = main.entries;
    const terms = auxiliary ? ([main, auxiliary] as const) : ([main] as const);
    const listBytes = (term: LossTerm) => 16 * asList(term.entries).indices.shape[0];
    const sums = this.#programs.backend.scratch(4 * sumNames.length * latents);
    const lists = terms.map((term) => this.#programs.backend.scratch(listBytes(term)));
    const ends = terms.map(() => this.#programs.backend.scratch(4 * latents));
    try {
      const starts = terms.map((term, i) =>
        this.#fill(request, term, i > 0, { list: lists[i], ends: ends[i], sums }),
      );
      this.#addPlaces(request, sums, latents);
      const offset = (name: SumName) => 4 * latents * sumNames.indexOf(name);
      const second = terms.length > 1 ? { start: starts[1], ends: ends[1], list: lists[1] } : undefined;
      return use({
        lists: [{ start: starts[0], ends: ends[0], list: lists[0] }, second],
        sums,
        offset,
        part: (name) => partOf(sums, offset(name)),
      });
    } finally {
      for (const buffer of [sums, ...lists, ...ends]) this.#programs.backend.give(buffer);
    }
  }

  /** Adds what AuxK's gradients of rows say of b_enc, and by way of the encoder of b_dec. */
  #addPlaces({ auxiliaryRows }: GradientRequest, sums: DeviceBuffer, latents: number): void {
    if (!auxiliaryRows) return;
    const { places, bEnc, scale } = auxiliaryRows;
    const [slopes, biases] = (['slopes', 'bEnc'] as const).map((name) =>
      partOf(sums, 4 * latents * sumNames.indexOf(name)),
    );
    this.#programs.run('fusedAuxiliary.cu', 'addPlaces', [Math.ceil(latents / threads), threads], [
      ...[places, bEnc].map((tensor) => this.#programs.backend.buffer(tensor)), this.#programs.number(scale)[0], slopes, biases, latents,
    ]); // prettier-ignore
  }

  #fill(
    request: GradientRequest,
    term: LossTerm,
    isAuxiliary: boolean,
    to: { list: DeviceBuffer; ends: DeviceBuffer; sums: DeviceBuffer },
  ): DeviceBuffer {
    const { backend } = this.#programs;
    const { parameters, x } = request;
    const [rows] = x.shape;
    const [, d] = term.error.shape;
    const entries = asList(term.entries);
    const { latents } = entries;
    const { start, order } = this.#byLatent.of(entries);
    const jump = isAuxiliary ? null : request.jump;
    const gate = isAuxiliary ? undefined : request.gate;
    const ends = term.prefixes ? this.#programs.constant(term.prefixes) : null;
    // Of the three coefficients at most one is another at every step.
    const varying = isAuxiliary ? null : (backend.recording?.numbers.penalty ?? null);
    const l1 = gate || jump ? null : varying;
    const l0Gradient = jump?.l0Gradient ?? 0;
    const ofJump =
      jump && typeof l0Gradient === 'number' ? [varying, l0Gradient] : this.#programs.number(l0Gradient);
    const blocks = isAuxiliary || !request.blocks ? null : this.#programs.constant(request.blocks);
    this.#programs.run(file, 'contributions', [Math.ceil(latents / latentsAtOnce), threads], [
      start, order, backend.buffer(entries.values), backend.buffer(term.dots), ...this.#programs.number(term.scale),
      l1, isAuxiliary ? 0 : request.l1, backend.buffer(parameters.wDec),
      this.#programs.maybe(jump?.threshold), jump?.bandwidth ?? 0, ...ofJump,
      this.#programs.maybe(gate && asList(gate.entries).values), this.#programs.maybe(gate?.dots),
      this.#programs.maybe(gate?.gain), this.#programs.maybe(gate && parameters.bMag), gate?.scale ?? 0, gate ? varying : null, gate?.l1 ?? 0,
      ends, term.prefixes?.length ?? 0, isAuxiliary ? 1 : 0, blocks, blocks ? (request.blocks?.length ?? 0) : 0, to.list, to.ends, to.sums, latents, rows, d,
    ]); // prettier-ignore
    return start;
  }
}

function asList(entries: Entries): SparseEntries {
  if (entries.kind === 'dense')
    throw new TypeError(
      'An auxiliary term or a gate whose entries are a matrix needs a main term as a matrix.',
    );
  return entries;
}
