import { expect, test } from 'vitest';
import { barLine, progressView } from './progressView.ts';

/** A clock that a test sets, and what was written. */
function view(mode: string | undefined) {
  const written: string[] = [];
  let time = 0;
  const shown = progressView(mode, { write: (text: string) => written.push(text) }, () => time);
  return {
    written,
    at(seconds: number, stage: string, done: number, total = 1000) {
      time = seconds * 1000;
      shown.report({ stage, done, total, unit: 'steps' });
    },
  };
}

test('the server is told how long the stage takes still, at the rate since it was begun', () => {
  const { written, at } = view('json');
  const left = () => JSON.parse(written.at(-1) ?? '').progress.secondsLeft;
  at(0, 'train topk', 1);
  expect(left()).toBe(undefined);
  at(10, 'train topk', 201);
  expect(left()).toBeCloseTo(40, 1);
  // Another stage has another rate.
  at(12, 'evaluate', 0);
  expect(left()).toBe(undefined);
  at(14, 'evaluate', 500);
  expect(left()).toBeCloseTo(2, 1);
});

test('what a resumed training did before says nothing of how fast it goes', () => {
  const { written, at } = view('json');
  at(0, 'train topk', 900);
  at(10, 'train topk', 910);
  expect(JSON.parse(written.at(-1) ?? '').progress).toMatchObject({ done: 910, secondsLeft: 90 });
});

test('the end of a stage is one line in a log, however often it is reported', () => {
  const { written, at } = view(undefined);
  at(0, 'runs', 0);
  at(5, 'runs', 1000);
  for (const second of [6, 20, 40]) at(second, 'runs', 1000);
  expect(written).toEqual(['runs: 100 %, 1000/1000 steps\n']);
  // What goes back and ends again says so again.
  at(50, 'runs', 500);
  at(55, 'runs', 1000);
  expect(written.at(-1)).toBe('runs: 100 %, 1000/1000 steps\n');
  expect(written).toHaveLength(3);
});

test('a bar says the same in words', () => {
  const line = barLine({ stage: 'train', done: 25, total: 100, unit: 'steps' }, { seconds: 5, left: 15 });
  expect(line).toContain('15 s left');
  expect(line).toContain(' 25 %');
});
