/** Uploads of every size arrive whole, and the memory that they go through is bounded and used again. */
import { describe, expect, test } from 'vitest';
import { findAdapter, openDevice } from './adapter.ts';
import { adapterForTests } from './adapterForTests.ts';
import { createDeviceBackend } from './deviceBackend.ts';
import { StagingRing } from './stagingRing.ts';

const adapter = await adapterForTests();

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  test('numbers arrive, through pieces that earlier uploads have used', async () => {
    const found = await findAdapter();
    const device = await openDevice(found);
    const made: number[] = [];
    const { createBuffer } = device;
    device.createBuffer = (descriptor) => {
      if (descriptor.usage & GPUBufferUsage.MAP_WRITE) made.push(descriptor.size);
      return createBuffer.call(device, descriptor);
    };
    const backend = createDeviceBackend(found, device);
    const upload = async (values: Float32Array | Int32Array, dtype: 'float32' | 'int32') => {
      const dataId = backend.write(values, [values.length], dtype);
      backend.uploadToGPU(dataId);
      const arrived = await backend.read(dataId);
      backend.disposeData(dataId);
      return arrived;
    };
    for (const count of [1, 5, 2 ** 14, 2 ** 14 + 1, 100_003]) {
      const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
      expect(await upload(values, 'float32')).toEqual(values);
      const integers = Int32Array.from({ length: count }, (_, i) => i * 40_503 - 7);
      expect(await upload(integers, 'int32')).toEqual(integers);
    }
    // The first two sizes go through the queue itself; of the others each needs a piece once.
    for (let i = 0; i < 20; i++) await upload(new Float32Array(100_003).fill(i), 'float32');
    expect(made.length).toBeLessThanOrEqual(6);
    device.destroy();
  });

  test('a tensor larger than all pieces together goes in turns', async () => {
    const found = await findAdapter();
    const device = await openDevice(found);
    const encoders: GPUCommandEncoder[] = [];
    let submissions = 0;
    const ring: StagingRing = new StagingRing(device, {
      copy(from, to, at, bytes) {
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(from, 0, to, at, bytes);
        encoders.push(encoder);
      },
      submit() {
        submissions++;
        device.queue.submit(encoders.splice(0).map((encoder) => encoder.finish()));
        ring.submitted();
      },
      waitUntil: (done) => found.dawn.waitUntil(done),
      check() {},
    });
    // 160 MB, through at most 128.
    const values = new Int32Array(40 * 2 ** 20);
    for (let i = 0; i < values.length; i++) values[i] = i;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const to = device.createBuffer({ size: values.byteLength, usage });
    ring.upload(values, to);
    expect(submissions).toBe(1);
    expect(ring.bytes).toBeLessThanOrEqual(2 ** 27);
    const staging = device.createBuffer({
      size: values.byteLength,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(to, 0, staging, 0, values.byteLength);
    encoders.push(encoder);
    device.queue.submit(encoders.splice(0).map((recorded) => recorded.finish()));
    await staging.mapAsync(GPUMapMode.READ);
    const arrived = new Int32Array(staging.getMappedRange());
    expect(arrived.findIndex((value, i) => value !== i)).toBe(-1);
    device.destroy();
  });
});
