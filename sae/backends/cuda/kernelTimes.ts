/** Times of kernels by the device's clock: an event before and one after each launch. */
import type { KernelTime } from '../../ops/fusedKernels.ts';
import type { Device } from './device.ts';

export type Phase = KernelTime['phase'];

export class KernelTimer {
  readonly #device: Device;
  readonly #spans: { kernel: string; phase: Phase; before: number; after: number }[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  around(kernel: string, phase: Phase, launch: () => void): void {
    const before = this.#mark();
    launch();
    this.#spans.push({ kernel, phase, before, after: this.#mark() });
  }

  #mark(): number {
    const event = this.#device.newEvent({ timing: true });
    this.#device.driver.call('cuEventRecord', event, this.#device.stream);
    return event;
  }

  /** Waits for the device. Total times by kernel, the longest first. */
  finish(): KernelTime[] {
    const { driver } = this.#device;
    this.#device.synchronize();
    const times = new Map<string, { -readonly [K in keyof KernelTime]: KernelTime[K] }>();
    for (const { kernel, phase, before, after } of this.#spans) {
      const key = `${phase} ${kernel}`;
      const time = times.get(key) ?? { kernel, phase, calls: 0, milliseconds: 0 };
      time.calls++;
      time.milliseconds += driver.read('cuEventElapsedTime', before, after);
      times.set(key, time);
      for (const event of [before, after]) driver.call('cuEventDestroy', event);
    }
    return [...times.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }
}
