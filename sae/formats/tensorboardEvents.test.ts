import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { eventFileHead, scalarRecord } from './tensorboardEvents.ts';

test('CRC-32C has the check value of its definition', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  // RFC 3720, B.4: 32 bytes of zeros, and of ones.
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
});

test('events are those of TensorBoard’s own package to the byte', () => {
  // Written by scripts/peers/metricsFixture.py.
  const theirs = readFileSync(join(import.meta.dirname, 'fixtures/events.tfevents'));
  const ours = [1, 300, 70_000].map((step) =>
    scalarRecord({
      wallTime: 1.7e9 + step / 8,
      step,
      scalars: { loss: 1 / step, ['a longer name '.repeat(10)]: -2.5 * step },
    }),
  );
  expect(Buffer.concat([eventFileHead(1.7e9), ...ours]).equals(theirs)).toBe(true);
});
