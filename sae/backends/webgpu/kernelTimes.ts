/**
 * Times of kernels by the device's clock: every dispatch gets a pass of its own with a timestamp before and after.
 * Passes then cannot overlap, so a timed step is a little slower than an untimed one.
 */
import type { KernelTime } from '../../ops/fusedKernels.ts';

const phases: Readonly<Record<string, KernelTime['phase']>> = {
  product: 'encode',
  productOfHalves: 'encode',
  productOfHalfMatrices: 'encode',
  toHalf: 'encode',
  errorToHalf: 'gradients',
  topKSelect: 'encode',
  candidateProduct: 'encode',
  candidateProductOfHalves: 'encode',
  candidateProductOfHalfMatrices: 'encode',
  beginTopK: 'encode',
  mergeTopK: 'encode',
  endTopK: 'encode',
  countDigits: 'encode',
  chooseDigit: 'encode',
  countKept: 'encode',
  keptByRow: 'encode',
  fillKept: 'encode',
  thresholdCount: 'encode',
  thresholdFill: 'encode',
  reconstruct: 'decode',
  sparseDecode: 'decode',
  sparseDots: 'decode',
  firings: 'decode',
  denseActivations: 'decode',
  denseFirings: 'decode',
  denseGradients: 'gradients',
  densePenalty: 'gradients',
  markBits: 'gradients',
  countBits: 'gradients',
  prefixSums: 'gradients',
  fillList: 'gradients',
  latentSums: 'gradients',
  columnSums: 'gradients',
  joinColumns: 'gradients',
  clipScale: 'optimiser',
  gate: 'optimiser',
  updateEncoder: 'optimiser',
  updateDecoder: 'optimiser',
  updateRows: 'optimiser',
  updateVector: 'optimiser',
};

/** The largest number of timestamps that WebGPU allows in a query set. */
const slots = 4096;

export class KernelTimer {
  readonly #device: GPUDevice;
  readonly #set: GPUQuerySet;
  readonly #labels: string[] = [];

  /** The device needs the feature `timestamp-query`. */
  constructor(device: GPUDevice) {
    this.#device = device;
    this.#set = device.createQuerySet({ type: 'timestamp', count: slots });
  }

  /** The descriptor of a pass for one dispatch; without timestamps once all slots are used. */
  pass(label: string): GPUComputePassDescriptor {
    const at = this.#labels.length * 2;
    if (at + 2 > slots) return {};
    this.#labels.push(label);
    const writes = { beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
    return { timestampWrites: { querySet: this.#set, ...writes } };
  }

  /** Total times by kernel, the longest first. To be called after all timed commands have been submitted. */
  async finish(): Promise<KernelTime[]> {
    const device = this.#device;
    const count = this.#labels.length * 2;
    const size = Math.max(8, count * 8);
    const resolved = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = device.createCommandEncoder();
    if (count > 0) encoder.resolveQuerySet(this.#set, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const used of [staging, resolved, this.#set]) used.destroy();
    const times = new Map<string, { -readonly [K in keyof KernelTime]: KernelTime[K] }>();
    this.#labels.forEach((kernel, i) => {
      const time = times.get(kernel) ?? {
        kernel,
        phase: phases[kernel] ?? 'other',
        calls: 0,
        milliseconds: 0,
      };
      time.calls++;
      time.milliseconds += Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6;
      times.set(kernel, time);
    });
    return [...times.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }
}
