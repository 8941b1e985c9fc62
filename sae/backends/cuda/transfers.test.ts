import { beforeAll, describe, expect, test } from 'vitest';
import { cudaForTests, noSoftwareDevice } from './cudaForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  let backend: CudaBackend;
  beforeAll(async () => void (backend = await cudaForTests()));

  const numbered = (count: number) => Int32Array.from({ length: count }, (_, i) => i * 2_654_435_761);

  test.each([0, 1, 1000, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1, 9 * 2 ** 20 + 5])(
    '%s words come back as they went',
    async (count) => {
      const values = numbered(count);
      const buffer = backend.transfers.uploaded(values);
      const [got, later] = [new Int32Array(count), new Int32Array(count)];
      backend.transfers.download(buffer, got);
      await backend.transfers.downloadTogether([{ from: buffer, target: later }]);
      expect(Buffer.compare(Buffer.from(got.buffer), Buffer.from(values.buffer))).toBe(0);
      expect(Buffer.compare(Buffer.from(later.buffer), Buffer.from(values.buffer))).toBe(0);
      backend.give(buffer);
    },
  );

  test('the array is the caller’s again at once, however many wait', () => {
    const values = new Int32Array(100_000);
    const buffers = Array.from({ length: 120 }, (_, n) => {
      values.fill(n);
      return backend.transfers.uploaded(values);
    });
    const got = new Int32Array(values.length);
    for (const [n, buffer] of buffers.entries()) {
      backend.transfers.download(buffer, got);
      expect(got.every((value) => value === n)).toBe(true);
      backend.give(buffer);
    }
  });

  test('a read that is under way has the values of when it was asked for', async () => {
    const buffer = backend.transfers.uploaded(Int32Array.of(1, 2, 3));
    const other = backend.transfers.uploaded(Int32Array.of(4));
    const [first, second] = [new Int32Array(3), new Int32Array(1)];
    const reading = backend.transfers.downloadTogether([
      { from: buffer, target: first },
      { from: other, target: second },
    ]);
    backend.fill(buffer, 9, 3);
    const third = new Int32Array(3);
    const again = backend.transfers.downloadTogether([{ from: buffer, target: third }]);
    await Promise.all([reading, again]);
    expect([[...first], [...second], [...third]]).toEqual([[1, 2, 3], [4], [9, 9, 9]]);
    for (const b of [buffer, other]) backend.give(b);
  });
});
