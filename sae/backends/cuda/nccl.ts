/** NVIDIA's NCCL through koffi: what devices of several processes send each other, in order on a stream. */
import koffi from 'koffi';
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import { binder, out } from './binding.ts';
import { type Library, loadLibrary, placeOf } from './libraries.ts';

/** ncclUniqueId is a structure that goes by value. */
export const uniqueIdBytes = 128;
const uniqueId = koffi.struct('LazyscopeNcclUniqueId', {
  internal: koffi.array('uint8', uniqueIdBytes),
});

/** ncclDataType_t. */
export const ncclType = { int32: 2, float32: 7 } as const;
const sum = 0;
const inProgress = 7;

function bind(library: Library) {
  const f = binder(library);
  const handle = 'uint64';
  return {
    version: f('ncclGetVersion', out('int')),
    uniqueId: f('ncclGetUniqueId', 'void*'),
    initialise: library.func('ncclCommInitRank', 'int', [out(handle), 'int', uniqueId, 'int']),
    destroy: f('ncclCommDestroy', handle),
    errorString: library.func('ncclGetErrorString', 'str', ['int']),
    lastError: library.func('ncclGetLastError', 'str', [handle]),
    asyncError: f('ncclCommGetAsyncError', handle, out('int')),
    allReduce: f('ncclAllReduce', handle, handle, handle, 'int', 'int', handle, handle),
    allGather: f('ncclAllGather', handle, handle, handle, 'int', handle, handle),
    send: f('ncclSend', handle, handle, 'int', 'int', handle, handle),
    receive: f('ncclRecv', handle, handle, 'int', 'int', handle, handle),
    groupStart: f('ncclGroupStart'),
    groupEnd: f('ncclGroupEnd'),
  };
}

/** The library, without a communicator; needs no device. */
export class Nccl {
  readonly #functions: ReturnType<typeof bind>;

  constructor(library: Library) {
    this.#functions = bind(library);
  }

  /** As people write it. */
  get version(): string {
    const place = [0];
    this.check('ncclGetVersion', this.#functions.version(place));
    const [version] = place;
    return `${Math.floor(version / 10_000)}.${Math.floor((version % 10_000) / 100)}.${version % 100}`;
  }

  /** What ranks that are to form a communicator must know. */
  newUniqueId(): Uint8Array {
    const id = new Uint8Array(uniqueIdBytes);
    this.check('ncclGetUniqueId', this.#functions.uniqueId(id));
    return id;
  }

  /** What NCCL calls a result. */
  nameOf(result: number): string {
    return String(this.#functions.errorString(result)).replace(/ \(run with [^)]*\)/, '');
  }

  /**
   * Joins the other ranks, whose number is `size`; waits until all have come. The context of the rank's device must be current. Throws
   * `unavailable` where NCCL finds no way to them.
   */
  join(id: Uint8Array, { rank, size }: { rank: number; size: number }): NcclRank {
    const place = [0];
    const code = Number(this.#functions.initialise(place, size, { internal: id }, rank));
    this.check(`ncclCommInitRank of process ${rank} of ${size}`, code);
    return new NcclRank(this, this.#functions, Number(place[0]));
  }

  /** Throws `unavailable` unless the result is success. */
  check(call: string, result: number, comm = 0): void {
    if (result === 0) return;
    const detail = String(this.#functions.lastError(comm) || 'it says no more');
    throw new LazyscopeError(
      'unavailable',
      `NCCL refused ${call} (${this.nameOf(result)}: ${detail.trim().replaceAll(/\s+/g, ' ')}): set NCCL_DEBUG=WARN to see why, and resume from the last checkpoint.`,
    );
  }
}

/** For people: which NCCL there is, and where. It is looked for last, and the backend works without it. */
export function describeNccl(environment = process.env): string {
  try {
    const { library, path } = loadLibrary('libnccl', environment);
    return `NCCL ${new Nccl(library).version}${placeOf(path)}`;
  } catch (error) {
    if (!isLazyscopeError(error)) throw error;
    return 'no NCCL (needed for train --mpi alone)';
  }
}

/** This process in a communicator. Addresses are those of the device's memory, counts of elements of 4 bytes. All ranks make the same calls. */
export class NcclRank {
  readonly #nccl: Nccl;
  readonly #functions: ReturnType<typeof bind>;
  readonly #comm: number;

  constructor(nccl: Nccl, functions: ReturnType<typeof bind>, comm: number) {
    this.#nccl = nccl;
    this.#functions = functions;
    this.#comm = comm;
  }

  /** `to` [ranks, count] gets what every rank has at `from` [count]. */
  allGather(from: number, to: number, count: number, stream: number): void {
    // Bytes are moved as they are, whatever they mean.
    this.#call('allGather', this.#functions.allGather(from, to, count, ncclType.float32, this.#comm, stream));
  }

  /** values [count] become the sums of all ranks' whole numbers. */
  sumIntegers(values: number, count: number, stream: number): void {
    this.#call(
      'allReduce',
      this.#functions.allReduce(values, values, count, ncclType.int32, sum, this.#comm, stream),
    );
  }

  /** `peers` each get `count` numbers, from where `from` says, and give as many, to where `to` says. */
  exchange(
    peers: readonly number[],
    { from, to, count }: { from: (peer: number) => number; to: (peer: number) => number; count: number },
    stream: number,
  ): void {
    this.#call('groupStart', this.#functions.groupStart());
    for (const peer of peers) {
      const rest = [count, ncclType.float32, peer, this.#comm, stream] as const;
      this.#call('send', this.#functions.send(from(peer), ...rest));
      this.#call('receive', this.#functions.receive(to(peer), ...rest));
    }
    this.#call('groupEnd', this.#functions.groupEnd());
  }

  /** Throws `unavailable` where a call that was under way has failed, as when another process has gone. */
  checkHealth(): void {
    const place = [0];
    this.#call('asyncError', this.#functions.asyncError(this.#comm, place));
    if (place[0] === 0 || place[0] === inProgress) return;
    this.#nccl.check('what the devices were sending each other', place[0], this.#comm);
  }

  /** No call may follow. */
  leave(): void {
    this.#call('destroy', this.#functions.destroy(this.#comm));
  }

  #call(name: string, result: number): void {
    if (result !== 0 && result !== inProgress) this.#nccl.check(name, result, this.#comm);
  }
}
