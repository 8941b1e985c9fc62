/**
 * Open MPI's C interface through koffi. `mpirun` starts the processes and says by its environment variables that it did; the
 * library is the one it brought with it.
 */
import koffi, { type LibraryHandle } from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import type { Communicator } from './communicator.ts';

/** Names under which distributions install it. */
const libraryNames = ['libmpi.so.40', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'];

/** A message's length is an int; this many floats at once stay below its limit. */
const floatsAtOnce = 2 ** 28;

const rankTag = 1;

/** Which of the processes on this machine this is, and how many of them there are; undefined where mpirun doesn't say so. */
export function placeOnMachine(): { index: number; count: number } | undefined {
  const { OMPI_COMM_WORLD_LOCAL_RANK: index, OMPI_COMM_WORLD_LOCAL_SIZE: count } = process.env;
  return index === undefined || count === undefined
    ? undefined
    : { index: Number(index), count: Number(count) };
}

/** Whether mpirun started this process. */
export const startedByMpirun = (): boolean => process.env.OMPI_COMM_WORLD_SIZE !== undefined;

/**
 * Joins the other processes. Throws `bad_input` where mpirun did not start this one, and `unavailable` where there is no Open MPI.
 */
export function openMpi(): Communicator {
  if (!startedByMpirun())
    throw new LazyscopeError(
      'bad_input',
      '--mpi spreads one training over the processes that mpirun starts: run it as mpirun -n 2 npx lazyscope train --mpi ….',
    );
  return new OpenMpi(loadMpi());
}

function loadMpi() {
  for (const name of libraryNames)
    try {
      // Global, because Open MPI's own plug-ins look for its symbols.
      return bind(koffi.load(name, { global: true }));
    } catch {
      continue;
    }
  throw new LazyscopeError(
    'unavailable',
    `Open MPI 4 or 5 is needed for --mpi, and none of ${libraryNames.join(', ')} can be loaded: install openmpi-bin, or put its library's folder into LD_LIBRARY_PATH.`,
  );
}

type Library = ReturnType<typeof bind>;
type Handle = bigint;

function bind(library: LibraryHandle) {
  // Handles of Open MPI are addresses of these.
  const world = library.symbol('ompi_mpi_comm_world', 'void *') as Handle;
  const byte = library.symbol('ompi_mpi_byte', 'void *') as Handle;
  const call = (name: string, parameters: string[]) => {
    const run = library.func(name, 'int', parameters) as (...given: unknown[]) => number;
    return (...given: unknown[]) => {
      const status = run(...given);
      // Open MPI ends all processes by itself before it returns an error, unless told otherwise.
      if (status !== 0) throw new LazyscopeError('unavailable', `${name} failed with status ${status}.`);
    };
  };
  const buffer = ['void *', 'int', 'void *'];
  return {
    world,
    byte,
    init: call('MPI_Init', ['void *', 'void *']),
    rank: call('MPI_Comm_rank', ['void *', '_Out_ int *']),
    size: call('MPI_Comm_size', ['void *', '_Out_ int *']),
    allGather: call('MPI_Allgather', [...buffer, ...buffer, 'void *']),
    allToAll: call('MPI_Alltoall', [...buffer, ...buffer, 'void *']),
    broadcast: call('MPI_Bcast', [...buffer, 'int', 'void *']),
    send: call('MPI_Send', [...buffer, 'int', 'int', 'void *']),
    receive: call('MPI_Recv', [...buffer, 'int', 'int', 'void *', 'void *']),
    abort: call('MPI_Abort', ['void *', 'int']),
    finalize: call('MPI_Finalize', []),
  };
}

class OpenMpi implements Communicator {
  readonly rank: number;
  readonly size: number;
  received = 0;
  readonly #mpi: Library;
  readonly #partings: (() => void)[] = [];
  #open = true;

  constructor(mpi: Library) {
    this.#mpi = mpi;
    mpi.init(null, null);
    const answer = [0];
    mpi.rank(mpi.world, answer);
    [this.rank] = answer;
    mpi.size(mpi.world, answer);
    [this.size] = answer;
  }

  allGather(own: ArrayBufferView, all: ArrayBufferView): void {
    const { allGather, byte, world } = this.#mpi;
    if (all.byteLength !== own.byteLength * this.size)
      throw new RangeError(`${this.size} parts of ${own.byteLength} bytes don't make ${all.byteLength}.`);
    allGather(own, own.byteLength, byte, all, own.byteLength, byte, world);
    this.received += own.byteLength * (this.size - 1);
  }

  allToAll(send: ArrayBufferView, into: ArrayBufferView): void {
    const { allToAll, byte, world } = this.#mpi;
    const part = send.byteLength / this.size;
    if (!Number.isInteger(part) || into.byteLength !== send.byteLength)
      throw new RangeError(`${send.byteLength} bytes don't make ${this.size} equal parts.`);
    allToAll(send, part, byte, into, part, byte, world);
    this.received += part * (this.size - 1);
  }

  gather(own: Float32Array, all: Float32Array | null, lengths: readonly number[]): void {
    const { send, receive, byte, world } = this.#mpi;
    if (this.rank !== 0) {
      for (const part of parts(own)) send(part, part.byteLength, byte, 0, rankTag, world);
      return;
    }
    if (!all) throw new RangeError('Process 0 gathers into a vector.');
    all.set(own);
    let begin = own.length;
    for (let rank = 1; rank < this.size; rank++) {
      const place = all.subarray(begin, begin + lengths[rank]);
      // A null status is MPI_STATUS_IGNORE in Open MPI.
      for (const part of parts(place)) receive(part, part.byteLength, byte, rank, rankTag, world, null);
      begin += lengths[rank];
      this.received += place.byteLength;
    }
  }

  scatter(all: Float32Array | null, own: Float32Array, lengths: readonly number[]): void {
    const { send, receive, byte, world } = this.#mpi;
    if (this.rank !== 0) {
      for (const part of parts(own)) receive(part, part.byteLength, byte, 0, rankTag, world, null);
      this.received += own.byteLength;
      return;
    }
    if (!all) throw new RangeError('Process 0 scatters a vector.');
    own.set(all.subarray(0, own.length));
    let begin = own.length;
    for (let rank = 1; rank < this.size; rank++) {
      for (const part of parts(all.subarray(begin, begin + lengths[rank])))
        send(part, part.byteLength, byte, rank, rankTag, world);
      begin += lengths[rank];
    }
  }

  broadcast(values: ArrayBufferView): void {
    const { broadcast, byte, world } = this.#mpi;
    broadcast(values, values.byteLength, byte, 0, world);
    if (this.rank !== 0) this.received += values.byteLength;
  }

  abort(status: number): never {
    this.#open = false;
    this.#mpi.abort(this.#mpi.world, status);
    process.exit(status);
  }

  atEnd(run: () => void): void {
    this.#partings.push(run);
  }

  finish(): void {
    if (this.#open) {
      for (const part of this.#partings) part();
      this.#mpi.finalize();
    }
    this.#open = false;
  }
}

function* parts(values: Float32Array): Generator<Float32Array> {
  for (let from = 0; from < values.length; from += floatsAtOnce)
    yield values.subarray(from, from + floatsAtOnce);
}
