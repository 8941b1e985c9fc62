import { expect, test } from 'vitest';
import { counterpartsAt, sharedPoints } from './sharedAt.ts';

const matches = {
  decoderMatch: Float32Array.of(2, 0, 1, -1),
  encoderMatch: Float32Array.of(2, 0, 3, 1),
  decoderCosine: Float32Array.of(0.9, 0.65, 0.99, NaN),
  encoderCosine: Float32Array.of(0.8, 0.95, 0.99, 0.9),
};

test('a pair is shared where both matchings agree and both cosines reach the threshold', () => {
  expect([...counterpartsAt(matches, 0.6)]).toEqual([2, 0, -1, -1]);
  expect([...counterpartsAt(matches, 0.7)]).toEqual([2, -1, -1, -1]);
  // The cosine of 0.8 in single precision is a little below 0.8, and reaches it all the same.
  expect([...counterpartsAt(matches, 0.8)]).toEqual([2, -1, -1, -1]);
  expect([...counterpartsAt(matches, 0.81)]).toEqual([-1, -1, -1, -1]);
});

test('a map’s points of both sides follow', () => {
  const side = Float32Array.of(0, 0, 1, 1, 1);
  const latent = Float32Array.of(0, 1, 0, 1, 2);
  expect([...sharedPoints({ side, latent }, counterpartsAt(matches, 0.6))]).toEqual([1, 1, 1, 0, 1]);
  expect([...sharedPoints({ side, latent }, counterpartsAt(matches, 0.7))]).toEqual([1, 0, 0, 0, 1]);
});
