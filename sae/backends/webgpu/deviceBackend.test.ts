import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { findAdapter, openDevice } from './adapter.ts';
import { BufferPool } from './bufferPool.ts';
import { DeviceFaults } from './deviceFaults.ts';
import { adapterForTests } from './adapterForTests.ts';
import { createDeviceBackend, type DeviceBackend } from './deviceBackend.ts';
import { hasOrderedSubgroups } from './subgroups.ts';

const adapter = await adapterForTests();
const here = dirname(fileURLToPath(import.meta.url));

/** Starts a backend in a separate process and returns the JSON that its last line of output is. */
function startElsewhere(choice: string, environment: Record<string, string>) {
  const source = `
    const { startBackend } = await import(${JSON.stringify(join(here, '..', 'startBackend.ts'))});
    const started = await startBackend(${JSON.stringify(choice)}).catch(({ code, message }) => ({ code, message }));
    console.log(JSON.stringify(started));`;
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', source],
    {
      env: { ...process.env, ...environment },
      cwd: join(here, '..', '..', '..'),
      encoding: 'utf8',
    },
  );
  expect(status).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

test('without an adapter it is an error, not another backend', () => {
  const answer = startElsewhere('webgpu', {
    VK_DRIVER_FILES: '/nonexistent.json',
    VK_ICD_FILENAMES: '/nonexistent.json',
  });
  expect(answer).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/Backend webgpu (finds no GPU|needs)/),
  });
});

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  beforeAll(() => startBackend('webgpu'));

  test('the processor is never taken for a GPU by auto', async () => {
    const { software } = await findAdapter();
    const answer = startElsewhere('auto', { PATH: '/nonexistent', CXX: '', XDG_CACHE_HOME: '/nonexistent' });
    expect(answer.name).toBe(software ? 'wasm' : 'webgpu');
  });

  test('synchronous reads see what was computed, also while others are on their way', async () => {
    const x = tf.range(0, 1000);
    const doubled = x.mul(2);
    const pending = [x.mul(3).data(), doubled.data()];
    expect(doubled.dataSync()[999]).toBe(1998);
    expect(x.mul(5).dataSync()[7]).toBe(35);
    expect((await pending[0])[999]).toBe(2997);
    expect((await pending[1])[3]).toBe(6);
  });

  test('values read are a copy, and come in the type of the tensor', () => {
    const x = tf.tensor1d([1, 2, 3], 'int32').add(tf.scalar(1, 'int32'));
    const seen = x.dataSync();
    expect(seen).toBeInstanceOf(Int32Array);
    seen.fill(0);
    expect([...x.dataSync()]).toEqual([2, 3, 4]);
    expect(x.greater(2).dataSync()).toEqual(Uint8Array.of(0, 1, 1));
    expect(tf.zeros([0, 3]).dataSync().length).toBe(0);
  });

  test('buffers are used again, and those of sizes that do not come back are given back', async () => {
    const device = await openDevice(await findAdapter());
    const pool = new BufferPool(device, new DeviceFaults(device, 'GPU'), 'GPU', () => {});
    const usage = GPUBufferUsage.STORAGE;
    const buffer = pool.acquireBuffer(1000, usage);
    pool.releaseBuffer(buffer);
    expect(pool.acquireBuffer(1000, usage)).toBe(buffer);
    for (let i = 1; i <= 60; i++) {
      pool.releaseBuffer(pool.acquireBuffer(2 ** 23 + 4 * i, usage));
      pool.trim();
    }
    expect(pool.numBytesUsed).toBe(1000);
    expect(pool.numBytesAllocated).toBeLessThan(300 * 2 ** 20);
    device.destroy();
  });

  test('a tensor larger than any buffer is refused with the remedy', () => {
    const backend = tf.backend() as DeviceBackend;
    expect(() => backend.bufferManager.acquireBuffer(2 ** 45, 0)).toThrow(
      /A tensor of 33,554,432 MB exceeds the [\d,]+ MB \(max\w+\) that the GPU \(.+\) gives a kernel at once: use a smaller batch/,
    );
  });

  test('an error that the device reports reaches whoever reads next', async () => {
    const found = await findAdapter();
    const device = await openDevice(found);
    const backend = createDeviceBackend(found, device);
    device.createBuffer({ size: 4, usage: 0 });
    await vi.waitFor(() => expect(() => backend.check()).toThrow(/The GPU \(.+\) refused a command: resume/));
    device.destroy();
  });

  test('subgroups of the software drivers are neighbouring threads, and used; a device without them is recognised', async () => {
    const found = await findAdapter();
    if (found.software && found.gpu.features.has('subgroups'))
      expect(await hasOrderedSubgroups((tf.backend() as DeviceBackend).device)).toBe(true);
    const plain = await found.gpu.requestDevice();
    expect(await hasOrderedSubgroups(plain)).toBe(false);
    plain.destroy();
  });

  test("Node's globals are as they were", () => {
    expect((globalThis.navigator as Navigator | undefined)?.gpu).toBeUndefined();
    expect(globalThis.setImmediate.name).toBe('setImmediate');
  });
});
