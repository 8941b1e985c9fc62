/**
 * What the device itself can do, by its own clock: matrix products by cuBLASLt in each type of number, checked before they
 * are timed, and a copy that no cache holds. `lazyscope bench` compares with these.
 */
import { LazyscopeError } from '../../errors.ts';
import { Random } from '../../numerics/random.ts';
import type { DeviceRates } from '../../ops/fusedKernels.ts';
import type { CudaBackend } from './cudaBackend.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import type { NumberType } from './products.ts';

/** Runs that are timed together: fewer where they take long. */
const repeats = { least: 2, most: 10, ms: 100 };
/** Numbers that the matrices are made of, over and over: drawing all of a wide dictionary would take a minute. An odd number, so that no two rows are the same. */
const blockSize = 2 ** 18 - 1;
/** Largest error of an element of the product, relative to the square root of its depth. */
const tolerance: Readonly<Record<NumberType, number>> = { f32: 1e-5, tf32: 5e-3, bf16: 5e-2 };

/** The product x·Wᵀ of a batch [rows, depth] with a dictionary [columns, depth]. Throws `unavailable` when one is wrong. */
export function deviceRates(
  backend: CudaBackend,
  { rows, depth, columns }: { rows: number; depth: number; columns: number },
): DeviceRates {
  const block = Random.fromSeed(0, 'deviceRates').normals(blockSize);
  const taken: DeviceBuffer[] = [];
  const take = (bytes: number) => {
    const buffer = backend.scratch(bytes);
    taken.push(buffer);
    return buffer;
  };
  try {
    const c = take(4 * rows * columns);
    const product = (type: NumberType) => {
      const stored = type === 'bf16' ? bfloat16(block) : block;
      const [a, b] = [rows * depth, columns * depth].map((count) => {
        const buffer = take(count * stored.BYTES_PER_ELEMENT);
        repeat(backend, stored, buffer);
        return buffer;
      });
      const shape = { m: rows, n: columns, k: depth, transposeB: true };
      const multiply = () => backend.products.multiply({ ...shape, a, b, c, type });
      multiply();
      check(backend, type, { block, c, rows, depth, columns });
      return milliseconds(backend, multiply);
    };
    const productMs = { bf16: product('bf16'), tf32: product('tf32'), f32: product('f32') };
    const bytes = backend.device.architecture.software ? 2 ** 22 : 2 ** 29;
    const [from, to] = [take(bytes), take(bytes)];
    backend.fill(from, 0, bytes / 4);
    const copyMs = milliseconds(backend, () => backend.copy(from, to, bytes));
    return { productMs, copyGBs: (2 * bytes) / copyMs / 1e6 };
  } finally {
    for (const buffer of taken) backend.give(buffer);
  }
}

/** Fills a buffer with the values, again and again. */
function repeat(backend: CudaBackend, values: Float32Array | Uint16Array, buffer: DeviceBuffer): void {
  const first = values.subarray(0, Math.min(values.length, buffer.bytes / values.BYTES_PER_ELEMENT));
  backend.transfers.upload(first, buffer);
  for (let done = first.byteLength; done < buffer.bytes; done *= 2)
    backend.copy(buffer, buffer, Math.min(done, buffer.bytes - done), 0, done);
}

/** By the device's clock, the mean of several that follow each other. */
function milliseconds({ device }: CudaBackend, run: () => void): number {
  const { driver, stream } = device;
  const [before, after] = [device.newEvent({ timing: true }), device.newEvent({ timing: true })];
  const timed = (times: number) => {
    driver.call('cuEventRecord', before, stream);
    for (let n = 0; n < times; n++) run();
    driver.call('cuEventRecord', after, stream);
    device.synchronize();
    return driver.read('cuEventElapsedTime', before, after) / times;
  };
  const { least, most, ms } = repeats;
  const mean = timed(Math.min(most, Math.max(least, Math.floor(ms / timed(1)))));
  for (const event of [before, after]) driver.call('cuEventDestroy', event);
  return mean;
}

/** Entries drawn at random against sums in double precision. */
function check(
  backend: CudaBackend,
  type: NumberType,
  p: {
    block: Float32Array;
    c: DeviceBuffer;
    rows: number;
    depth: number;
    columns: number;
  },
): void {
  const random = Random.fromSeed(1, 'deviceRates');
  const { block, c, rows, depth, columns } = p;
  for (let n = 0; n < 8; n++) {
    const [i, j] = [random.below(rows), random.below(columns)];
    const got = new Float32Array(1);
    const address = c.address + BigInt(4 * (i * columns + j));
    backend.transfers.download({ address, bytes: 4 }, got);
    let want = 0;
    for (let k = 0; k < depth; k++)
      want += block[(i * depth + k) % blockSize] * block[(j * depth + k) % blockSize];
    if (!(Math.abs(got[0] - want) < tolerance[type] * Math.sqrt(depth)))
      throw new LazyscopeError(
        'unavailable',
        `Backend cuda computes wrong products in ${type}: element (${i}, ${j}) of ${rows}×${depth}×${columns} is ${got[0]} instead of ${want}.`,
      );
  }
}

/** Rounded to nearest even; the values are finite. */
export function bfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}
