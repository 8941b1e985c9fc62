/** Memory of the host that the device reads and writes by itself. */
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import type { Device } from './device.ts';

export interface PinnedMemory {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Throws `unavailable` when the host has no memory for it. */
export function pinnedMemory({ driver }: Device, bytes: number): PinnedMemory {
  const place = [0];
  driver.enter();
  const code = driver.functions.cuMemHostAlloc(place, bytes, 0);
  if (code === 2)
    throw new LazyscopeError(
      'unavailable',
      `There are no ${Math.ceil(bytes / 1e6)} MB of memory that can be pinned for the GPU: raise the limit of locked memory (ulimit -l), or free memory.`,
    );
  if (code !== 0) throw driver.failed(`cuMemHostAlloc of ${bytes} bytes`, code);
  const address = Number(place[0]);
  return { address, bytes: new Uint8Array(koffi.view(BigInt(address), bytes)) };
}
