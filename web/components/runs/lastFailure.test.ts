import { expect, test } from 'vitest';
import type { Job } from '../../../server/client.ts';
import { lastFailure } from './lastFailure.ts';

const job = (createdAt: string, more: Partial<Job> & { run?: string }) =>
  ({
    kind: 'evaluate',
    status: 'failed',
    error: 'no space',
    createdAt,
    finishedAt: createdAt,
    ...more,
    options: { run: more.run ?? 'mine' },
  }) as Job;

test('the last finished job of this kind and run decides', () => {
  expect(lastFailure([job('1', {}), job('2', { error: 'no model' })], 'evaluate', 'mine')).toBe('no model');
  expect(lastFailure([job('2', { status: 'done' }), job('1', {})], 'evaluate', 'mine')).toBeUndefined();
  // One that runs hasn't failed, and doesn't say that the one before didn't.
  expect(
    lastFailure([job('1', {}), job('2', { status: 'running', finishedAt: null })], 'evaluate', 'mine'),
  ).toBe('no space');
  expect(
    lastFailure([job('1', { run: 'other' }), job('1', { kind: 'index' })], 'evaluate', 'mine'),
  ).toBeUndefined();
  expect(lastFailure([job('1', { error: null })], 'evaluate', 'mine')).toBe('its output says why');
});
