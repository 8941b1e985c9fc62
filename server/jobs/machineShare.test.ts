import { expect, test } from 'vitest';
import type { Job, JobStartInput } from '../contract/jobs.ts';
import { jobSubject } from './jobSubject.ts';
import { fitsBeside, shareOf, thisMachine, type Machine } from './machineShare.ts';

const large: Machine = { cores: 16, memory: 64e9, freeMemory: () => 60e9, threads: 4, gpu: () => false };

function job(input: JobStartInput): Job {
  const subject = jobSubject(input, null);
  return { ...input, subject, status: 'running' } as Job;
}
const train = (name: string, capture = 'text') =>
  job({ kind: 'train', options: { architecture: 'topk', capture, name } });
const index = (run: string) => job({ kind: 'index', options: { run } });
const map = (comparison: string) => job({ kind: 'map', options: { comparison } });

test('by default a job that computes takes every core, so it runs alone', () => {
  const machine = { ...large, threads: undefined };
  expect(shareOf(train('a'), machine)).toEqual({ cores: 16, bytes: 32e9, gpu: true });
  expect(fitsBeside(index('b'), [train('a')], machine)).toBe(false);
  expect(fitsBeside(map('c'), [train('a')], machine)).toBe(false);
  expect(fitsBeside(map('c'), [map('d')], machine)).toBe(true);
});

test('with a number of threads an index runs beside a training, where cores and memory allow', () => {
  expect(fitsBeside(index('b'), [train('a')], large)).toBe(true);
  expect(fitsBeside(index('b'), [train('a')], { ...large, cores: 7 })).toBe(false);
  expect(fitsBeside(index('b'), [train('a')], { ...large, cores: 8 })).toBe(true);
  // A quarter of the memory is set aside for an index, and somebody else has it.
  expect(fitsBeside(index('b'), [train('a')], { ...large, freeMemory: () => 15e9 })).toBe(false);
  // A half for each training, so a third thing doesn't fit.
  expect(fitsBeside(train('c'), [train('a')], large)).toBe(true);
  expect(fitsBeside(map('d'), [train('a'), train('c')], large)).toBe(false);
});

test('a limit of memory that is given takes the place of the usual share', () => {
  const compare = (memory?: string) =>
    job({
      kind: 'compare',
      options: { a: { run: 'x', seed: 0 }, b: { run: 'y', seed: 0 }, name: 'z', memory },
    });
  expect(shareOf(compare(), large).bytes).toBe(32e9);
  expect(shareOf(compare('2GB'), large).bytes).toBe(2e9);
  expect(shareOf(compare('9TB'), large).bytes).toBe(64e9);
});

test('there is one GPU, and a job on it is alone there', () => {
  const machine = { ...large, gpu: () => true };
  expect(fitsBeside(index('b'), [train('a')], machine)).toBe(false);
});

test('a job waits for another that makes what it reads, reads what it makes, or has not named what it makes', () => {
  expect(fitsBeside(index('a'), [train('a')], large)).toBe(false);
  expect(fitsBeside(train('b'), [job({ kind: 'evaluate', options: { run: 'b' } })], large)).toBe(false);
  const compare = {
    kind: 'compare',
    options: { a: { run: 'a', seed: 0 }, b: { run: 'b', seed: 1 } },
  } as const;
  expect(fitsBeside(index('c'), [job(compare)], large)).toBe(false);
  const named = job({ ...compare, options: { ...compare.options, name: 'ab' } });
  expect(fitsBeside(index('c'), [named], large)).toBe(true);
  expect(fitsBeside(index('b'), [named], large)).toBe(false);
  expect(fitsBeside(map('ab'), [named], large)).toBe(false);
});

test('a job that needs more than there is runs alone instead of never', () => {
  const small = { ...large, cores: 1, freeMemory: () => 0 };
  expect(fitsBeside(train('a'), [], small)).toBe(true);
});

test('a kind that says nothing of what it needs runs alone', () => {
  const sparsity = job({ kind: 'sparsity', options: { model: 'm', text: 'dataset:moby-dick', name: 's' } });
  expect(shareOf(sparsity, large)).toEqual({ cores: 4, bytes: 64e9, gpu: true });
  expect(fitsBeside(map('c'), [sparsity], large)).toBe(false);
});

test('this machine has cores and memory', () => {
  const machine = thisMachine({ gpu: () => false });
  expect(machine.cores).toBeGreaterThan(0);
  expect(machine.freeMemory()).toBeLessThanOrEqual(machine.memory);
});
