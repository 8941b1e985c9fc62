/**
 * Work of the compute stream, captured as CUDA graphs: the driver keeps kernels, arguments and addresses, and a launch costs the host a few
 * microseconds however many kernels there are.
 *
 * While a stream captures, nothing runs, so that nothing can be waited for; and whatever a call reads on the host it reads when the graph is
 * launched. What can't be captured throws `NotCapturable` before the driver is asked, and the capture is given up.
 *
 * Calls that take part in what other processes do at the same time are not captured: NCCL has all ranks capture a call or none, and launch the
 * same graphs, which processes that each decide for themselves whether a step is launched as a whole can't promise. Such a call ends a
 * stretch of the capture, is made anew at every launch, and another stretch begins behind it. So processes make the same calls in the same
 * order however each of them makes its step.
 */
import type { Device } from './device.ts';

/** CU_STREAM_CAPTURE_MODE_RELAXED: memory may be allocated meanwhile, which has no effect on the stream. */
const relaxed = 2;

export class Graph {
  readonly #device: Device;
  /** What a launch does, in order: graphs of the driver, ready to be launched, and calls that the host makes. */
  readonly #parts: (number | (() => void))[] = [];

  /** Captures what `run` does on the compute stream, which runs only when the graph is launched. Throws what `run` throws. */
  constructor(device: Device, run: () => void) {
    this.#device = device;
    this.#begin();
    let done = false;
    try {
      device.capturing = (call) => {
        this.#end();
        this.#parts.push(call);
        this.#begin();
      };
      run();
      done = true;
    } finally {
      device.capturing = null;
      if (!done) this.#giveUp();
    }
    this.#end();
  }

  /** On the compute stream. */
  launch(): void {
    const { driver, stream, host } = this.#device;
    for (const part of this.#parts) {
      if (typeof part === 'function') {
        part();
        continue;
      }
      const before = performance.now();
      driver.call('cuGraphLaunch', part, stream);
      host.record += performance.now() - before;
    }
  }

  /** A launch under way is finished first. */
  destroy(): void {
    for (const part of this.#parts.splice(0))
      if (typeof part === 'number') this.#device.driver.call('cuGraphExecDestroy', part);
  }

  #begin(): void {
    this.#device.driver.call('cuStreamBeginCapture', this.#device.stream, relaxed);
  }

  /** Between two calls there may be nothing. */
  #end(): void {
    const { driver, stream } = this.#device;
    const ended = [0];
    driver.call('cuStreamEndCapture', stream, ended);
    const graph = Number(ended[0]);
    try {
      const count = [0];
      driver.call('cuGraphGetNodes', graph, 0, count);
      if (Number(count[0]) === 0) return;
      const place = [0];
      driver.call('cuGraphInstantiate', place, graph, 0);
      this.#parts.push(Number(place[0]));
    } finally {
      driver.call('cuGraphDestroy', graph);
    }
  }

  /** Ends a capture that failed. Its code is of no interest: what failed is thrown. */
  #giveUp(): void {
    const { driver, stream } = this.#device;
    const place = [0];
    driver.enter();
    driver.functions.cuStreamEndCapture(stream, place);
    if (Number(place[0]) !== 0) driver.functions.cuGraphDestroy(Number(place[0]));
    for (const part of this.#parts) if (typeof part === 'number') driver.functions.cuGraphExecDestroy(part);
  }
}
