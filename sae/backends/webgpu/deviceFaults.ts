/**
 * Errors of a device while it computes, as one clear LazyscopeError. A device reports errors asynchronously; they are thrown when
 * the device is next used. The training run then stops, and can be resumed from its last checkpoint on any backend.
 */
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';

export class DeviceFaults {
  readonly #device: GPUDevice;
  readonly #name: string;
  #memory: LazyscopeError | null = null;
  #other: LazyscopeError | null = null;
  /** Where a buffer is being created: what Dawn says, synchronously, if there is no memory for it. */
  #making: { shortage: unknown } | null = null;
  #closing = false;

  /** `name` is that of the adapter, for messages. */
  constructor(device: GPUDevice, name: string) {
    this.#device = device;
    this.#name = name;
    device.addEventListener('uncapturederror', (event) => {
      // Otherwise Dawn would write the error to standard output.
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      if (isOutOfMemory(error) && this.#making) this.#making.shortage = error;
      else if (isOutOfMemory(error)) this.#memory ??= this.#outOfMemory(error);
      else this.#other ??= this.#refused(error);
    });
    void this.#untilLost();
  }

  async #untilLost(): Promise<void> {
    const { message } = await this.#device.lost;
    if (!this.#closing) this.#other ??= this.lost(message);
  }

  /** Throws `unavailable` if the device has reported an error. */
  check(): void {
    // A buffer that could not be created makes every command that uses it invalid, so running out of memory is the cause to report.
    const fault = this.#memory ?? this.#other;
    if (fault) throw fault;
  }

  /** To be called before the device is destroyed on purpose, which is then not reported as an error. */
  close(): void {
    this.#closing = true;
  }

  lost(said: string): LazyscopeError {
    return new LazyscopeError(
      'unavailable',
      `The GPU (${this.#name}) was lost: resume from the last checkpoint, on another backend if it happens again.`,
      { cause: new Error(said) },
    );
  }

  /** Makes a buffer, or says what the device said if it has no memory for it, and is as before. Throws `unavailable` if it is lost. */
  attempt(make: () => GPUBuffer): { buffer: GPUBuffer } | { shortage: unknown } {
    const making = { shortage: null as unknown };
    this.#making = making;
    try {
      const buffer = make();
      this.check();
      return making.shortage === null ? { buffer } : making;
    } catch (cause) {
      // A buffer that is mapped at creation throws an error instead of reporting one.
      if (isLazyscopeError(cause)) throw cause;
      return { shortage: cause };
    } finally {
      this.#making = null;
    }
  }

  /** The error of a buffer for which there was no memory; every later use of the device throws it. */
  outOfMemory(shortage: unknown, sizes: { bytes: number; inUse: number }): LazyscopeError {
    return (this.#memory ??= this.#outOfMemory(shortage, sizes));
  }

  #outOfMemory(cause: unknown, sizes?: { bytes: number; inUse: number }): LazyscopeError {
    const what = sizes
      ? ` for ${megabytes(sizes.bytes)} MB more than the ${megabytes(sizes.inUse)} MB in use`
      : '';
    return new LazyscopeError(
      'unavailable',
      `The GPU (${this.#name}) has no memory${what}: use a smaller batch, a narrower dictionary or fewer seeds at once, and resume from the last checkpoint.`,
      { cause },
    );
  }

  #refused(error: GPUError): LazyscopeError {
    return new LazyscopeError(
      'unavailable',
      `The GPU (${this.#name}) refused a command: resume from the last checkpoint, on another backend if it happens again.`,
      { cause: new Error(error.message) },
    );
  }
}

function isOutOfMemory(error: GPUError): boolean {
  return error.constructor.name === 'GPUOutOfMemoryError';
}

export const megabytes = (bytes: number) => Math.ceil(bytes / 2 ** 20).toLocaleString('en');
