/** The cause of an error of a device that has no memory: what was asked for, and what there was, in bytes. */
export class MemoryShortage extends Error {
  readonly wanted: number;
  /** By this process. */
  readonly inUse: number;
  readonly free: number;

  constructor({ wanted, inUse, free }: { wanted: number; inUse: number; free: number }) {
    super(`${wanted} bytes wanted, ${inUse} in use, ${free} free`);
    this.wanted = wanted;
    this.inUse = inUse;
    this.free = free;
  }
}
