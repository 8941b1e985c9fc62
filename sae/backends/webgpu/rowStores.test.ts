/** Rows in memory of the device, bit by bit beside the host's own conversion and sums; what the device can't hold or loses. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../formats/float16.ts';
import { webgpuRows } from '../../fixtures/rowDevices.ts';
import { Random } from '../../numerics/random.ts';
import { disposeComputed, hostNumber } from '../../ops/computed.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { RowStores } from '../../ops/rowStore.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { DeviceSums } from './deviceSums.ts';
import { Programs } from './programs.ts';
import { rowStores } from './rowStores.ts';

const adapter = await adapterForTests();

const words = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);
const upTo = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
/** As `HostRows` of sae/activations/rowMemory.ts has it. */
function hostNorm(row: Float32Array): number {
  let square = 0;
  for (const value of row) square += value * value;
  return Math.fround(Math.sqrt(square));
}
/** Compares as numbers, faster than `toEqual` on large arrays, and says where they part. */
function expectSameWords(got: Float32Array, want: Float32Array): void {
  expect(got.length).toBe(want.length);
  const [a, b] = [words(got), words(want)];
  const at = a.findIndex((word, i) => word !== b[i]);
  if (at >= 0) expect({ at, word: a[at].toString(16) }).toEqual({ at, word: b[at].toString(16) });
}

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  // A software driver on a busy machine takes long to compile shaders.
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  let backend: DeviceBackend;
  let stores: RowStores;
  /** The same kernels on buffers of no more than so many bytes. */
  let inPieces: (bufferBytes: number) => RowStores;
  beforeAll(async () => {
    await startBackend('webgpu');
    backend = tf.backend() as DeviceBackend;
    stores = fusedKernels().rowStores ?? expect.fail('webgpu has no memory for rows');
    const programs = new Programs(backend, { subgroups: false });
    const sums = new DeviceSums(backend, programs);
    inPieces = (bufferBytes) =>
      rowStores(
        { backend, programs },
        (raw, scale) => {
          const x = raw.mul<Tensor2D>(scale);
          raw.dispose();
          return { x, variance: sums.varianceAboutMean(x) };
        },
        { bufferBytes },
      );
  });

  test('float32 becomes float16 and back as on the host: every float16, its neighbours and ties, and numbers from all of the range', () => {
    const d = 1024;
    const all = float16ToFloat32(Uint16Array.from({ length: 65_536 }, (_, i) => i));
    const found: number[] = [];
    for (const word of words(all)) {
      // Half of the last place of a normal float16 is 2¹² of a float32's; the subnormal ones' ties are below.
      for (const by of [-0x1001, -0x1000, -0xfff, -1, 0, 1, 0xfff, 0x1000, 0x1001]) found.push(word + by);
    }
    for (let n = 0; n < 2048; n++) {
      const [tie] = words(Float32Array.of((n + 0.5) * 2 ** -24));
      for (const sign of [0, 0x80000000]) found.push(tie - 1 + sign, tie + sign, tie + 1 + sign);
    }
    // An odd step meets every exponent, both signs, subnormal float32, infinities and NaN, with other low bits each time.
    for (let word = 0; word < 2 ** 32; word += 4_801) found.push(word);
    const rows = Math.ceil(found.length / d);
    const bits = new Uint32Array(rows * d);
    bits.set(found.map((word) => word >>> 0));
    const values = new Float32Array(bits.buffer);
    const x = tf.tensor2d(values, [rows, d]);
    const store = stores.open(rows, d, 'float16');
    store.put(x, upTo(rows), 0);
    const want = float16ToFloat32(float32ToFloat16(values));
    const got = store.read(upTo(rows));
    // A NaN may have any bits of its fraction.
    words(got).forEach((word, i) => {
      if (Number.isNaN(got[i]) && Number.isNaN(want[i])) words(want)[i] = word;
    });
    expectSameWords(got, want);
    store.dispose();
    x.dispose();
  });

  test('float32 keeps every bit, those of subnormals and NaN too', () => {
    const bits = Uint32Array.from({ length: 3 * 1000 }, (_, i) => (i * 2_863_311_531) >>> 0);
    bits.set([0, 1, 0x80000000, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc12345]);
    const values = new Float32Array(bits.buffer);
    const x = tf.tensor2d(values, [3, 1000]);
    const store = stores.open(3, 1000, 'float32');
    store.put(x, Int32Array.of(2, 0), 1);
    store.put(x, Int32Array.of(1), 0);
    const row = (i: number) => values.subarray(i * 1000, (i + 1) * 1000);
    expectSameWords(store.read(Int32Array.of(2, 1)), Float32Array.of(...row(0), ...row(2)));
    expect(words(store.read(Int32Array.of(0)))).toEqual(words(row(1).slice()));
    store.dispose();
    x.dispose();
  });

  test.each(['float16', 'float32'] as const)(
    'norms of %s are the host’s, which adds doubles one after the other',
    async (dtype) => {
      const [rows, d] = [700, 37];
      const random = Random.fromSeed(5);
      // Numbers of like size, of every size, and few beside many zeros.
      const values = Float32Array.from({ length: rows * d }, (_, i) => {
        const row = Math.floor(i / d);
        if (row === 3) return 0;
        if (row % 7 === 0 && random.uniform() < 0.8) return 0;
        const sign = random.uniform() < 0.5 ? -1 : 1;
        const range = dtype === 'float16' ? [-26, 42] : [-149, 276];
        const power = row % 3 === 0 ? 0 : range[0] + Math.floor(random.uniform() * range[1]);
        return sign * (1 + random.uniform()) * 2 ** power;
      });
      const stored = dtype === 'float16' ? float16ToFloat32(float32ToFloat16(values)) : values;
      const x = tf.tensor2d(values, [rows, d]);
      const store = stores.open(1, d, dtype);
      const norms = await store.norms(x);
      const want = Float32Array.from({ length: rows }, (_, row) =>
        hostNorm(stored.subarray(row * d, (row + 1) * d)),
      );
      expect(new Set(want).size).toBeGreaterThan(rows * 0.9);
      expectSameWords(norms, want);
      x.dispose();
      const beyond = tf.tensor2d([1, 65_519.9, 1, 65_520, 1, Infinity, NaN, 1, 1, -Infinity], [5, 2]);
      const two = stores.open(1, 2, dtype);
      const finite = (await two.norms(beyond)).map((norm) => Number(Number.isFinite(norm)));
      expect([...finite]).toEqual(dtype === 'float16' ? [1, 0, 0, 0, 0] : [1, 1, 0, 0, 0]);
      for (const one of [store, two]) one.dispose();
      beyond.dispose();
    },
  );

  test('the norm of a sum that ends in the middle between two doubles is the even one’s', async () => {
    // 1 + 2⁻⁵³ is a tie and stays 1; 1 + 2⁻⁵² and then 2⁻⁵³ is one that goes up; 2⁵³ + 1 + 2⁻⁹⁸ is just above one.
    const cases = [
      [1, 2 ** -26.5, 2 ** -26.5, 2 ** -26.5],
      [1, 2 ** -26, 2 ** -26.5, 0],
      [2 ** 26.5, 1, 2 ** -49, 1],
      [2 ** -149, 2 ** -149, 2 ** -149, 2 ** -126],
      [2 ** 127.5, 2 ** 127.9, 2 ** 127.99, 2 ** 100],
    ];
    for (const row of cases) {
      // Many times each, so that what rounding leaves adds up.
      const values = Float32Array.from({ length: 4 * 4096 }, (_, i) => row[i % 4]);
      const x = tf.tensor2d(values, [1, values.length]);
      const store = stores.open(1, 1, 'float32');
      expectSameWords(await store.norms(x), Float32Array.of(hostNorm(values)));
      store.dispose();
      x.dispose();
    }
  });

  test.each([
    ['float16', 5],
    ['float16', 6],
    ['float32', 5],
  ] as const)('a store of %s, d = %i, in pieces of two rows', async (dtype, d) => {
    const rows = 9;
    const values = Float32Array.from({ length: rows * d }, (_, i) => i / 8 + 0.125);
    const narrow = dtype === 'float16' ? float32ToFloat16(values) : values;
    const pieces = inPieces(25);
    const { used } = webgpuRows();
    const before = { used: used(), tensors: tf.memory().numTensors };
    const one = pieces.open(rows, d, dtype);
    expect(used() - before.used).toBe(rows * 4 * (dtype === 'float16' ? 3 : 5));
    const filled = pieces.open(rows, d, dtype);
    const x = tf.tensor2d(values, [rows, d]);
    one.put(x, Int32Array.of(8, 7, 6), 0);
    one.put(x, Int32Array.of(5, 4, 3, 2, 1, 0), 3);
    // Of an array that doesn't begin at a whole word, and is changed afterwards.
    const Numbers = narrow instanceof Uint16Array ? Uint16Array : Float32Array;
    const shifted = new Numbers([0, ...narrow]).subarray(1);
    filled.fill(shifted.subarray(0, d), 0);
    filled.fill(shifted.subarray(d), 1);
    shifted.fill(0);
    const row = (i: number) => [...values.subarray(i * d, (i + 1) * d)];
    const places = Int32Array.of(4, 0, 8, 8, 1);
    expect([...one.read(places)]).toEqual([...places].flatMap((place) => row(8 - place)));
    expect([...filled.read(places)]).toEqual([...places].flatMap(row));
    const some = filled.copy(places);
    expect([...some.read(Int32Array.of(4, 2, 0))]).toEqual([1, 8, 4].flatMap(row));
    const parts = [
      { store: one, places: Int32Array.of(2, 7) },
      { store: some, places: Int32Array.of(3, 1, 4) },
    ];
    const batch = pieces.batch(parts, d, 0.5);
    const want = fusedKernels().scaledBatch(Float32Array.from([6, 1, 8, 0, 1].flatMap(row)), d, 0.5);
    expect([...batch.x.dataSync()]).toEqual([...want.x.dataSync()]);
    expect(hostNumber(want.variance)).toBeGreaterThan(0);
    tf.dispose([x, batch.x, want.x]);
    for (const { variance } of [batch, want]) disposeComputed(variance);
    for (const store of [one, filled, some]) store.dispose();
    expect({ used: used(), tensors: tf.memory().numTensors }).toEqual(before);
  });

  test('rows of another type, and of another device, are refused', () => {
    const store = stores.open(2, 4, 'float16');
    const wide = Float32Array.of(1, 2, 3, 4);
    expect(() => store.fill(wide, 0)).toThrow(/Rows of float16 are not in numbers of 4 bytes/);
    const elsewhere = { ...store } as typeof store;
    expect(() => stores.batch([{ store: elsewhere, places: Int32Array.of(0) }], 4, 1)).toThrow(
      /not on this device/,
    );
    store.dispose();
  });

  test('where there is no memory for a store, others are let go of, and the device goes on', async () => {
    const lost = vi.fn<() => void>();
    const kept = stores.open(3, 4, 'float32');
    const spare = stores.open(3, 4, 'float32', lost);
    spare.fill(new Float32Array(12).fill(3), 0);
    backend.flush();
    const { numBytesUsed, numBytesAside } = backend.bufferManager;
    await webgpuRows().exhaust();
    expect(lost).toHaveBeenCalledTimes(1);
    expect(backend.bufferManager).toMatchObject({
      numBytesUsed: numBytesUsed - 48,
      numBytesAside: numBytesAside - 48,
    });
    kept.fill(
      Float32Array.from({ length: 12 }, (_, i) => i),
      0,
    );
    expect([...kept.read(Int32Array.of(1))]).toEqual([4, 5, 6, 7]);
    kept.dispose();
  });
});
