import { describe, expect, test } from 'vitest';
import { ago, duration } from './time.ts';

describe('times', () => {
  const now = new Date('2026-06-15T12:00:00Z');
  test.each([
    [duration(4.21), '4.2 s'],
    [duration(0.004), '< 0.1 s'],
    [duration(59.7), '1 min'],
    [duration(200), '3 min 20 s'],
    [duration(7500), '2 h 5 min'],
    [duration(null), '–'],
    [ago('2026-06-15T11:59:40Z', now), 'just now'],
    [ago('2026-06-15T11:20:00Z', now), '40 min ago'],
    [ago('2026-06-14T11:20:00Z', now), 'yesterday'],
    [ago('2026-05-01T00:00:00Z', now), '2026-05-01'],
  ])('%s', (given, wanted) => expect(given).toBe(wanted));
});
