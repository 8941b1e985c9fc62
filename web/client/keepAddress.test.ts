// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { keepAddress } from './keepAddress.ts';

test('each act is an entry of the history; what goes on with one is not another', () => {
  const entries = () => window.history.length;
  const begun = entries();
  keepAddress('/compare/x?threshold=0.71', ['threshold'], { now: 10_000 });
  expect(entries()).toBe(begun + 1);
  for (let step = 2; step < 60; step++)
    keepAddress(`/compare/x?threshold=0.7${step}`, ['threshold'], { now: 10_000 + 40 * step });
  expect(entries()).toBe(begun + 1);
  expect(window.location.search).toBe('?threshold=0.759');

  keepAddress('/compare/x?threshold=0.759&show=shared', ['show'], { now: 12_500 });
  expect(entries()).toBe(begun + 2);
  // The same thing again, but not at once.
  keepAddress('/compare/x?threshold=0.759&show=rest', ['show'], { now: 14_000 });
  expect(entries()).toBe(begun + 3);
  // Nothing has changed.
  keepAddress('/compare/x?threshold=0.759&show=rest', ['show'], { now: 19_000 });
  expect(entries()).toBe(begun + 3);
});

test('after the back button a change is an act of its own, however quick', () => {
  keepAddress('/runs?find=a', ['find'], { now: 30_000 });
  const begun = window.history.length;
  window.history.replaceState(null, '', '/runs');
  keepAddress('/runs?find=b', ['find'], { now: 30_100 });
  expect(window.history.length).toBe(begun + 1);
});
