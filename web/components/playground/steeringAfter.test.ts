import { expect, test } from 'vitest';
import type { SteeringEvent } from '../../../server/client.ts';
import { steeringAfter, type Steering } from './useSteering.ts';

const idle: Steering = {
  status: 'idle', message: null, variants: [], counterparts: null, next: null, continuations: [], end: null,
}; // prettier-ignore
const start: SteeringEvent = {
  type: 'start', model: 'a model', prompt: [], variants: ['without', 'with'], counterparts: null,
  rows: [{ variant: 0, sample: null }, { variant: 1, sample: null }],
}; // prettier-ignore
const tokens = (text: string, ended: (0 | 1)[] = []): SteeringEvent => ({
  type: 'tokens',
  tokens: [0, 1].map((row) => ({ row, id: 7, text: `${text}${row}` })),
  ended: ended.map((row) => ({ row, stopped: 'end' })),
});
const after = (...events: Parameters<typeof steeringAfter>[1][]) => events.reduce(steeringAfter, idle);

test('texts grow row by row until each has ended', () => {
  const { status, continuations } = after({ type: 'begin' }, start, tokens('a'), tokens('b', [1]));
  expect(status).toBe('writing');
  expect(continuations).toEqual([
    { variant: 'without', sample: null, text: 'a0b0', stopped: null },
    { variant: 'with', sample: null, text: 'a1b1', stopped: 'end' },
  ]);
});

test('a connection that was found again begins anew, without the text of before', () => {
  expect(after({ type: 'begin' }, start, tokens('a'), start, tokens('c')).continuations[0]?.text).toBe('c0');
});

test('what was written stays when it is stopped or fails, and the reason is said', () => {
  const stopped = after({ type: 'begin' }, start, tokens('a'), { type: 'stop' });
  expect([stopped.status, stopped.continuations[1]?.text]).toEqual(['stopped', 'a1']);
  const failed = after({ type: 'begin' }, start, tokens('a'), {
    type: 'failed',
    code: 'unavailable',
    message: 'It ended.',
  });
  expect([failed.status, failed.message, failed.continuations[0]?.text]).toEqual([
    'failed',
    'It ended.',
    'a0',
  ]);
  const done = after({ type: 'begin' }, start, {
    type: 'end',
    newTokens: 2,
    firstTokenSeconds: 0.1,
    seconds: 1,
  });
  expect(steeringAfter(done, { type: 'stop' }).status).toBe('done');
});
