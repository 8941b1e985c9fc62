import { LazyscopeError } from '../../sae/errors.ts';
import { mostParts, type Part } from '../../sae/spec/part.ts';

/** Where those who start processes of one job say which of how many each is: Open MPI, MPICH and its kin, a step of Slurm. */
const names = [
  ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'],
  ['PMI_RANK', 'PMI_SIZE'],
  ['SLURM_PROCID', 'SLURM_STEP_NUM_TASKS'],
] as const;

/**
 * The part that falls to a process by its rank, for `mpirun -n 4 lazyscope capture … --part rank`.
 * Throws 'bad_input' where the environment names no rank, or there are more processes than work has parts.
 */
export function rankPart(environment: Readonly<Record<string, string | undefined>>): Part {
  for (const [rankName, sizeName] of names) {
    const [rank, size] = [environment[rankName], environment[sizeName]];
    if (rank === undefined || size === undefined) continue;
    const part = { number: Number(rank) + 1, of: Number(size) };
    if (
      Number.isInteger(part.number) &&
      Number.isInteger(part.of) &&
      part.number >= 1 &&
      part.number <= part.of &&
      part.of <= mostParts
    )
      return part;
    throw new LazyscopeError(
      'bad_input',
      `--part rank needs 1 to ${mostParts} processes, but ${rankName} is '${rank}' and ${sizeName} is '${size}': start fewer, or give --part n/N.`,
    );
  }
  throw new LazyscopeError(
    'bad_input',
    '--part rank needs mpirun or srun, which number their processes: start the command with one of them, or give --part n/N.',
  );
}
