/** What the driver's error codes mean for the person who gets them. */
import { LazyscopeError } from '../../errors.ts';
import { MemoryShortage } from '../../ops/memoryShortage.ts';

export const outOfMemory = 2;

/**
 * Errors after which the device computes nothing more in this process (CUDA driver API, CUresult): every later call fails
 * with the same one.
 */
const lost: ReadonlySet<number> = new Set([
  46, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999,
]);

export function isLost(code: number): boolean {
  return lost.has(code);
}

export interface DriverFailure {
  /** The function that failed, with the sizes that matter. */
  readonly call: string;
  readonly code: number;
  /** CUDA_ERROR_… */
  readonly name: string;
  readonly description: string;
}

/** A failure that the caller has no better words for. `gpu` is the device's name. */
export function driverError({ call, code, name, description }: DriverFailure, gpu: string): LazyscopeError {
  const cause = new Error(`${call}: ${name} (${code}), ${description}`);
  if (isLost(code))
    return new LazyscopeError(
      'unavailable',
      `The GPU (${gpu}) was lost (${name} in ${call}): resume from the last checkpoint, on another backend if it happens again.`,
      { cause },
    );
  return new LazyscopeError(
    'unavailable',
    `The GPU (${gpu}) refused ${call} (${name}: ${description}): run lazyscope doctor, and choose --backend native if it happens again.`,
    { cause },
  );
}

/** No memory on the device, even after everything that was kept for reuse was given back. */
export function outOfDeviceMemory(
  sizes: { wanted: number; inUse: number; free: number; total: number },
  gpu: string,
): LazyscopeError {
  const { wanted, inUse, free, total } = sizes;
  return new LazyscopeError(
    'unavailable',
    `The GPU (${gpu}) has no memory for ${megabytes(wanted)} MB more: of its ${megabytes(total)} MB this process uses ${megabytes(inUse)} and ${megabytes(free)} are free. ` +
      'Use a smaller batch, a narrower dictionary or fewer seeds at once, and resume from the last checkpoint.',
    { cause: new MemoryShortage(sizes) },
  );
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6).toLocaleString('en');
