/**
 * Files as memory: a row is then copied from the system's cache without a call of the system, which takes ten times as long as the copy. Where a file is cut
 * short or its disk fails, the process ends with SIGBUS instead of an error, so that only files that nobody writes any more are mapped.
 */
import koffi from 'koffi';

/** A file that is mapped. */
export interface MappedFile {
  /** Its bytes, which can't be written. */
  readonly bytes: Uint8Array;
  /** After this, whoever reads `bytes` ends the process. */
  unmap(): void;
}

/** Maps the first `bytes` bytes of an open file; null where that can't be done. */
export type MapFile = (fd: number, bytes: number) => MappedFile | null;

// Of Linux, the same on all of its processors.
const [readable, shared, inRandomOrder] = [1, 1, 1];
const failed = -1;

function linuxCalls() {
  const library = koffi.load(null);
  return {
    mmap: library.func('int64_t mmap(int64_t, size_t, int, int, int, int64_t)') as (
      ...args: number[]
    ) => number,
    munmap: library.func('int munmap(int64_t, size_t)') as (address: number, bytes: number) => number,
    madvise: library.func('int madvise(int64_t, size_t, int)') as (...args: number[]) => number,
  };
}
let calls: ReturnType<typeof linuxCalls> | undefined;

/** The first bytes of an open file, which may be closed afterwards. Null where the system can't: other systems than Linux, and files that it doesn't map. */
export const mapFile: MapFile = (fd, bytes) => {
  if (process.platform !== 'linux' || bytes === 0) return null;
  const { mmap, munmap, madvise } = (calls ??= linuxCalls());
  const address = Number(mmap(0, bytes, readable, shared, fd, 0));
  if (address === failed) return null;
  // What lies beside a row isn't wanted. Advice that isn't taken costs time, nothing else.
  madvise(address, bytes, inRandomOrder);
  return {
    bytes: new Uint8Array(koffi.view(BigInt(address), bytes)),
    unmap: () => void munmap(address, bytes),
  };
};
