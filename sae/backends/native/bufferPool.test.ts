import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { BufferPool } from './bufferPool.ts';

const megabyte = 2 ** 20;

describe('a pool of buffers', () => {
  test('hands a returned buffer to the next of the same type and size, and to no other', () => {
    const pool = new BufferPool(megabyte);
    const first = pool.take('float32', 100);
    pool.give('float32', first);
    expect(pool.take('int32', 100).buffer).not.toBe(first.buffer);
    expect(pool.take('float32', 99).buffer).not.toBe(first.buffer);
    expect(pool.take('float32', 100).buffer).toBe(first.buffer);
    expect(pool.take('float32', 100).buffer).not.toBe(first.buffer);
  });

  test('lists whose length is another at each step share a few buffers: memory does not grow as training goes on', () => {
    const pool = new BufferPool(1000 * megabyte);
    const random = Random.fromSeed(0, 'lists');
    const most = 110_000;
    for (let step = 0; step < 2000; step++) {
      const length = most - random.below(20_000);
      const [indices, values] = [pool.take('int32', length, true), pool.take('float32', length, true)];
      expect([indices.length, values.length]).toEqual([length, length]);
      pool.give('int32', indices);
      pool.give('float32', values);
    }
    // Four sizes of each type, not two thousand.
    expect(pool.bytes).toBeLessThan(4 * 2 * 4 * most);
  });

  test('room is at most an eighth more than what was asked for', () => {
    const pool = new BufferPool(megabyte);
    for (const length of [0, 1, 7, 8, 9, 1000, 65_537, 1e6]) {
      const values = pool.take('float32', length, true);
      expect(values.length).toBe(length);
      expect((values.buffer.byteLength - 64) / 4).toBeLessThanOrEqual(Math.ceil(length * 1.125));
    }
  });

  test('numbers begin at a cache line, fresh or used before', () => {
    const pool = new BufferPool(megabyte);
    for (const length of [1, 7, 16, 1000, 65_537])
      for (const roomy of [false, true]) {
        const fresh = pool.take('float32', length, roomy);
        pool.give('float32', fresh);
        const again = pool.take('float32', length, roomy);
        expect(again.buffer).toBe(fresh.buffer);
        for (const values of [fresh, again, pool.take('int32', length, roomy)])
          expect([koffi.address(values) % 64n, values.length]).toEqual([0n, length]);
      }
  });

  test('keeps no more than its limit; what was used least recently goes first', () => {
    const pool = new BufferPool(1000);
    const [old, recent] = [pool.take('float32', 150), pool.take('int32', 100)];
    pool.give('float32', old);
    pool.give('int32', recent);
    expect(pool.bytes).toBeLessThanOrEqual(1000);
    pool.give('bool', pool.take('bool', 500));
    expect(pool.bytes).toBeLessThanOrEqual(1000);
    expect(pool.take('int32', 100).buffer).toBe(recent.buffer);
    expect(pool.take('float32', 150).buffer).not.toBe(old.buffer);
  });
});
