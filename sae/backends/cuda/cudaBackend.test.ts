import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../startBackend.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import { noSoftwareDevice } from './cudaForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  let backend: CudaBackend;
  beforeAll(async () => {
    chooseCudaDeviceForTests();
    expect(await startBackend('cuda')).toMatchObject({ name: 'cuda', threads: 1 });
    backend = tf.backend() as CudaBackend;
  });
  const used = () => backend.memoryPool.bytes.used;
  /** A tensor whose numbers are on the device alone. */
  const onDevice = <T extends Tensor>(tensor: T): T => {
    backend.buffer(tensor);
    return tensor;
  };

  test('numbers of every type come back from the device', async () => {
    const floats = onDevice(tf.tensor1d([1.5, -0, NaN, Infinity]));
    const integers = onDevice(tf.tensor1d([2 ** 31 - 1, -(2 ** 31)], 'int32'));
    const flags = onDevice(tf.tensor1d([true, false, true], 'bool'));
    expect([...floats.dataSync()]).toEqual([1.5, -0, NaN, Infinity]);
    expect([...(await integers.data())]).toEqual([2 ** 31 - 1, -(2 ** 31)]);
    expect([...flags.dataSync()]).toEqual([1, 0, 1]);
    const onHost = tf.tensor1d([7], 'int32');
    const read = await backend.readTogether([floats, onHost, integers, flags]);
    expect(read.map((values) => [...values])).toEqual([
      [1.5, -0, NaN, Infinity],
      [7],
      [2 ** 31 - 1, -(2 ** 31)],
      [1, 0, 1],
    ]);
    tf.dispose([floats, integers, flags, onHost]);
  });

  test('what a reader does to its array changes no tensor', async () => {
    const x = onDevice(tf.tensor1d([1, 2]));
    x.dataSync().fill(9);
    (await x.data()).fill(9);
    expect([...x.dataSync()]).toEqual([1, 2]);
    const host = tf.tensor1d([3, 4]);
    (await backend.readTogether([host]))[0].fill(9);
    expect([...host.dataSync()]).toEqual([3, 4]);
    tf.dispose([x, host]);
  });

  test('an upload leaves no second copy on the host', () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(backend.onHost(x)).not.toBeNull();
    onDevice(x);
    expect(backend.onHost(x)).toBeNull();
    x.dispose();
  });

  test('a kernel of TF.js finds the numbers, which are fetched once and counted', () => {
    const x = onDevice(tf.tensor2d([3, 1, 2, 9], [2, 2]));
    const before = backend.hostReads;
    const values = () => Array.from(backend.data.get(x.dataId).values as Float32Array);
    expect([values(), values()]).toEqual([
      [3, 1, 2, 9],
      [3, 1, 2, 9],
    ]);
    expect(backend.hostReads).toBe(before + 1);
    // It is on both now; what changes on the device is what counts from then on.
    backend.fill(backend.buffer(x), 0, 4);
    backend.changed(x);
    expect([...x.dataSync()]).toEqual([0, 0, 0, 0]);
    expect(values()).toEqual([0, 0, 0, 0]);
    x.dispose();
  });

  test('memory goes back when the last of those who share it is disposed', () => {
    const before = used();
    const x = onDevice(tf.zeros([1000]));
    const taken = used();
    expect(taken).toBeGreaterThan(before);
    const shared = x.reshape([10, 100]);
    x.dispose();
    expect(used()).toBe(taken);
    expect(shared.dataSync().length).toBe(1000);
    shared.dispose();
    expect(used()).toBe(before);
    const made = backend.output([5, 7], 'float32');
    const tensor = tf.engine().makeTensorFromTensorInfo(made.info, backend);
    expect(tensor.shape).toEqual([5, 7]);
    tensor.dispose();
    expect(used()).toBe(before);
  });

  test('empty tensors, scalars, strings and complex numbers are no exception', () => {
    const empty = onDevice(tf.zeros([0, 3]));
    expect([...empty.dataSync()]).toEqual([]);
    const scalar = onDevice(tf.scalar(5));
    expect(scalar.dataSync()[0]).toBe(5);
    const words = tf.tensor1d(['a', 'ö']);
    expect(words.dataSync()).toEqual(['a', 'ö']);
    expect(() => backend.buffer(words)).toThrow(/not string/);
    const complex = tf.complex(tf.tensor1d([1, 2]), onDevice(tf.tensor1d([3, 4])));
    expect([...complex.dataSync()]).toEqual([1, 3, 2, 4]);
    tf.dispose([empty, scalar, words, complex]);
  });

  test('fills and copies are in the order of the kernels', () => {
    const x = onDevice(tf.tensor1d([1, 2, 3, 4]));
    const buffer = backend.buffer(x);
    const kept = backend.scratch(16);
    backend.copy(buffer, kept, 16);
    backend.fill(buffer, 0x3f800000, 2);
    backend.copy(kept, buffer, 4, 12, 8);
    backend.changed(x);
    backend.give(kept);
    expect([...x.dataSync()]).toEqual([1, 1, 4, 4]);
    x.dispose();
  });

  test('products in tf32 where they are asked for', async () => {
    const [a, b] = [tf.tensor2d([[1 + 2 ** -9, 1 + 2 ** -12]]), tf.tensor2d([[1], [1]])];
    const product = () => tf.tidy(() => tf.matMul(a, b).dataSync()[0]);
    expect(await startBackend('cuda', { products: 'tf32' })).toMatchObject({ products: 'tf32' });
    expect(product()).toBe(2 + 2 ** -9);
    expect(await startBackend('cuda')).not.toHaveProperty('products');
    expect(product()).toBe(2 + 2 ** -9 + 2 ** -12);
    await expect(startBackend('cpu', { products: 'tf32' })).rejects.toMatchObject({ code: 'bad_input' });
    tf.dispose([a, b]);
  });

  test('bf16 is its storage, f16 is not', async () => {
    expect(await startBackend('cuda', { storage: 'bf16' })).toMatchObject({ storage: 'bf16' });
    expect(backend.storage).toBe('bf16');
    expect(await startBackend('cuda')).not.toHaveProperty('storage');
    expect(backend.storage).toBe('f32');
    await expect(startBackend('cuda', { storage: 'f16' })).rejects.toMatchObject({ code: 'bad_input' });
    await expect(startBackend('native', { storage: 'bf16' })).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringContaining('choose cuda'),
    });
  });
});
