/** The kernels of a dictionary that is spread over processes: those of the backend, which knows how, or host memory in between. */
import { LazyscopeError } from '../../errors.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import type { Communicator } from './communicator.ts';
import { shardedKernels } from './shardedKernels.ts';

/** Bytes that a backend's name takes. */
const nameBytes = 32;

/** Called by all processes at once. Throws `bad_input` where they compute on different backends, and as `FusedKernels.spread` does. */
export function spreadOver(kernels: FusedKernels, communicator: Communicator, width: number): FusedKernels {
  const names = Buffer.alloc(nameBytes * communicator.size);
  communicator.allGather(Buffer.alloc(nameBytes).fill(kernels.backend.padEnd(nameBytes)), names);
  const nameOf = (rank: number) => names.toString('utf8', rank * nameBytes, (rank + 1) * nameBytes).trim();
  for (let rank = 1; rank < communicator.size; rank++)
    if (nameOf(rank) !== nameOf(0))
      throw new LazyscopeError(
        'bad_input',
        `Process 0 computes on ${nameOf(0)} and process ${rank} on ${nameOf(rank)}: name the backend of all with --backend.`,
      );
  return kernels.spread?.(communicator, width) ?? shardedKernels(kernels, communicator, width);
}
