/**
 * Work of the compute stream, captured as a CUDA graph: the driver keeps kernels, arguments and addresses, and a launch costs the host a few
 * microseconds however many kernels there are.
 *
 * While a stream captures, nothing runs, so that nothing can be waited for; and whatever a call reads on the host it reads when the graph is
 * launched. What can't be captured throws `NotCapturable` before the driver is asked, and the capture is given up.
 */
import type { Device } from './device.ts';

/** CU_STREAM_CAPTURE_MODE_RELAXED: memory may be allocated meanwhile, which has no effect on the stream. */
const relaxed = 2;

export class Graph {
  readonly #device: Device;
  readonly #executable: number;
  /** Kernels, copies and fills. */
  readonly nodes: number;

  /** Captures what `run` does on the compute stream, which runs only when the graph is launched. Throws what `run` throws. */
  constructor(device: Device, run: () => void) {
    const { driver, stream } = device;
    this.#device = device;
    driver.call('cuStreamBeginCapture', stream, relaxed);
    device.capturing = true;
    let done = false;
    try {
      run();
      done = true;
    } finally {
      device.capturing = false;
      if (!done) giveUp(device);
    }
    const ended = [0];
    driver.call('cuStreamEndCapture', stream, ended);
    const graph = Number(ended[0]);
    try {
      const count = [0];
      driver.call('cuGraphGetNodes', graph, 0, count);
      this.nodes = Number(count[0]);
      const place = [0];
      driver.call('cuGraphInstantiate', place, graph, 0);
      this.#executable = Number(place[0]);
    } finally {
      driver.call('cuGraphDestroy', graph);
    }
  }

  /** On the compute stream. */
  launch(): void {
    const { driver, stream, host } = this.#device;
    const before = performance.now();
    driver.call('cuGraphLaunch', this.#executable, stream);
    host.record += performance.now() - before;
  }

  /** A launch under way is finished first. */
  destroy(): void {
    this.#device.driver.call('cuGraphExecDestroy', this.#executable);
  }
}

/** Ends a capture that failed. Its code is of no interest: what failed is thrown. */
function giveUp({ driver, stream }: Device): void {
  const place = [0];
  driver.enter();
  driver.functions.cuStreamEndCapture(stream, place);
  if (Number(place[0]) !== 0) driver.functions.cuGraphDestroy(Number(place[0]));
}
