/**
 * What goes wrong on a device while it computes, said once and clearly. A device reports on its own time: whoever asks
 * it for something next is told. The training run then stops at its last checkpoint, from which any backend goes on.
 */
import { isLazyscopeError, LazyscopeError } from '../../errors.ts';

export class DeviceFaults {
  readonly #device: GPUDevice;
  readonly #name: string;
  #memory: LazyscopeError | null = null;
  #other: LazyscopeError | null = null;
  /** The buffer that is being made. Dawn says at once that there is no memory for it. */
  #making: { bytes: number; inUse: number } | null = null;
  #closing = false;

  /** `name` is the adapter's, for messages. */
  constructor(device: GPUDevice, name: string) {
    this.#device = device;
    this.#name = name;
    device.addEventListener('uncapturederror', (event) => {
      // Dawn would write it to standard output.
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      if (isOutOfMemory(error)) this.#memory ??= this.#outOfMemory(error);
      else this.#other ??= this.#refused(error);
    });
    void this.#untilLost();
  }

  async #untilLost(): Promise<void> {
    const { message } = await this.#device.lost;
    if (!this.#closing) this.#other ??= this.lost(message);
  }

  /** Throws `unavailable` if something has gone wrong so far. */
  check(): void {
    // A buffer that could not be had makes every command that names it invalid: memory comes first.
    const fault = this.#memory ?? this.#other;
    if (fault) throw fault;
  }

  /** From now on the end of the device is expected, and no fault. */
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

  /** Makes a buffer of `bytes`; throws `unavailable` if there is no memory for it. `inUse`: bytes, for the message. */
  allocate(bytes: number, inUse: number, make: () => GPUBuffer): GPUBuffer {
    this.#making = { bytes, inUse };
    try {
      const buffer = make();
      this.check();
      return buffer;
    } catch (cause) {
      // What is mapped at its creation fails in a way of its own.
      throw isLazyscopeError(cause) ? cause : (this.#memory ??= this.#outOfMemory(cause));
    } finally {
      this.#making = null;
    }
  }

  #outOfMemory(cause: unknown): LazyscopeError {
    const what = this.#making
      ? ` for ${megabytes(this.#making.bytes)} MB more than the ${megabytes(this.#making.inUse)} MB in use`
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
