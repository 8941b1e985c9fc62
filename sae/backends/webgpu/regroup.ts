/** Regroups the entries of a gradient's loss terms by latent, with what they contribute to the gradients; see kernels/byLatent.ts. */
import type { GateTerm, GradientRequest, LossTerm } from '../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import type { Tensor } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import type { HalfCopies, StoredErrors } from './halfCopies.ts';
import { fillList, latentSums } from './kernels/byLatent.ts';
import { gateEntries, gateSums, gateVectors } from './kernels/gated.ts';
import { bitsOf, startsOf } from './latentBits.ts';
import { latentTable } from './latentTable.ts';
import type { Programs } from './programs.ts';

interface Device {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
}

/** Vectors of one number a latent, whose gradients are sums over the list. */
export type LatentVector = 'bEnc' | 'logThreshold' | 'rMag' | 'bMag';

export interface Regrouped {
  /** [latents + 1]: where the entries of each latent begin in `list`. */
  readonly start: Tensor;
  /** [entries, 4]: for each entry its row and its contributions to the gradients, see `fillList`. */
  readonly list: Tensor;
  /** Rows in the list from this number on belong to the second term of the loss (AuxK). */
  readonly secondRows: number;
  readonly errors: StoredErrors;
  /** Where the errors of the second term begin in `errors`, if all are in one tensor. */
  readonly secondErrors: number;
  /** [3, latents]: begins with the gradients of `vectors`, in their order. */
  readonly sums: Tensor;
  readonly vectors: readonly LatentVector[];
  /** Begins with the sums [latents] of what reaches W_enc. */
  readonly slopes: Tensor;
}

export function regroup(device: Device, copies: HalfCopies, request: GradientRequest): Regrouped {
  const { backend, programs } = device;
  const { main, auxiliary, l1, jump, gate: gated } = request;
  const { latents, rows } = main.entries;
  const terms = [main, ...(auxiliary ? [auxiliary] : [])];
  const each = Math.ceil(rows / 32);
  const words = each * terms.length;
  const entries = terms.map((term) => sparse(term.entries));
  const bits = bitsOf(device, latents, each, entries);
  const start = startsOf(device, bits, latents, words);
  const count = entries.reduce((sum, { indices }) => sum + indices.shape[0], 0);
  const list = backend.scratch([Math.max(1, count), 4], 'int32');
  const table = latentTable(device, request);
  const made = gated ? contributionsOfGate(device, entries[0], main, gated, table) : null;
  terms.forEach((term, i) => {
    const { rowStart, indices, values } = entries[i];
    if (indices.shape[0] === 0) return;
    const program = fillList({
      latents,
      words,
      firstWord: i * each,
      endWord: (i + 1) * each,
      kind: i > 0 ? 'auxiliary' : made ? 'gate' : 'main',
      l1: i === 0 ? l1 : 0,
      bandwidth: i === 0 && jump ? jump.bandwidth : null,
    });
    const rest = made ? [made] : [values, term.dots, table];
    programs.run(program, [bits, start, rowStart, indices, ...rest, list], latents);
  });
  const secondRows = each * 32;
  const sums = backend.scratch([3, latents], 'float32');
  const slopes = made ? backend.scratch([latents], 'float32') : sums;
  if (made)
    programs.run(
      gateSums({ latents }),
      [start, list, made, main.entries.values, table, sums, slopes],
      latents,
    );
  else
    programs.run(
      latentSums({ latents, secondRows, jump: jump !== null }),
      [start, list, sums, ...(jump ? [table] : [])],
      latents,
    );
  const vectors = made ? gateVectors : jump ? (['bEnc', 'logThreshold'] as const) : (['bEnc'] as const);
  // Those of nested reconstructions have more rows than the list.
  const secondErrors = Math.max(secondRows, main.error.shape[0]);
  const errors = copies.errors(
    terms.map((term) => term.error),
    secondErrors,
  );
  return { start, list, secondRows, errors, secondErrors, sums, vectors, slopes };
}

/** [entries, 4]: what each entry contributes where there is a gate, see kernels/gated.ts. */
function contributionsOfGate(
  { backend, programs }: Device,
  { rows, latents, rowStart, indices, values }: SparseEntries,
  { dots }: LossTerm,
  { entries, dots: gateDots, l1 }: GateTerm,
  table: Tensor,
): Tensor {
  const [count] = indices.shape;
  const made = backend.scratch([Math.max(1, count), 4], 'float32');
  const of = [rowStart, indices, values, dots, sparse(entries).values, gateDots, table];
  if (count > 0) programs.run(gateEntries({ rows, latents, l1 }), [...of, made], rows);
  return made;
}

function sparse(entries: GradientRequest['main']['entries']): SparseEntries {
  if (entries.kind === 'dense')
    throw new TypeError('An auxiliary term or a gate beside a list has to be a list itself.');
  return entries;
}
