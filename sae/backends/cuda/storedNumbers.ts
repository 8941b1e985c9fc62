import type { DeviceBuffer } from './deviceMemory.ts';

/** A matrix [rows, width] whose numbers are on the device in the format of their file. */
export interface StoredNumbers {
  readonly rows: number;
  readonly width: number;
  /** Rows from `first` on, as floats to the start of `to`. */
  widen(to: DeviceBuffer, first: number, count: number): void;
  /** The rows of an index [count]; NaN for those that there aren't. */
  gather(to: DeviceBuffer, index: DeviceBuffer, count: number): void;
  /** All of it as floats, in memory that is the caller's to give back. */
  widened(): DeviceBuffer;
  /** Gives the memory of the stored numbers back. */
  release(): void;
}
