import { expect, test } from 'vitest';
import { deviceOfProcess } from './deviceOfProcess.ts';
import { refuseShared } from './fused/openCollectives.ts';

test('processes take devices in turn, and there may be more devices than processes', () => {
  expect([0, 1, 2].map((index) => deviceOfProcess({ index, count: 3 }, 4, undefined))).toEqual([0, 1, 2]);
});

test('a process that sees one device alone takes that', () => {
  expect(deviceOfProcess({ index: 2, count: 3 }, 1, '5')).toBe(0);
});

test.each([undefined, ''])(
  'fewer devices than processes are refused (CUDA_VISIBLE_DEVICES is %j)',
  (visible) => {
    expect(() => deviceOfProcess({ index: 0, count: 2 }, 1, visible)).toThrow(
      /runs 2 processes that each need a GPU of their own, and has one GPU: start no more/,
    );
    expect(() => deviceOfProcess({ index: 0, count: 4 }, 3, '0,1,2')).toThrow(/has 3 GPUs/);
  },
);

test('a device that two processes have is refused, by the numbers of the processes', () => {
  const uuids = Uint8Array.from({ length: 48 }, (_, i) => (i < 16 ? 7 : i < 32 ? 9 : 7));
  expect(() => refuseShared(uuids, 'H100')).toThrow(/Processes 0 and 2 have the same GPU \(H100\)/);
  expect(() => refuseShared(uuids.subarray(0, 32), 'H100')).not.toThrow();
});
