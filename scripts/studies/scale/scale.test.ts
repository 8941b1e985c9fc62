import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { receivedPerStep } from './needs.ts';
import { needsTable, plan, queueTable, spreadTable } from './scale.ts';
import { simulateQueue } from './simulateQueue.ts';

const reliable = {
  betweenFailures: Infinity,
  repair: 0,
  checkpointEvery: 100,
  checkpointSeconds: 0,
  noticed: 0,
  seed: 3,
};
const jobs = (...seconds: number[]) => seconds.map((each) => ({ seconds: each }));

describe('a simulated queue', () => {
  test('fills devices in the order of the jobs', () => {
    expect(simulateQueue(jobs(5, 4, 3, 3), { ...reliable, devices: 2 })).toEqual({
      makespan: 8,
      busy: 15 / 16,
      failures: 0,
      lost: 0,
    });
  });

  test('adds what checkpoints take', () => {
    const { makespan } = simulateQueue(jobs(1000), { ...reliable, devices: 1, checkpointSeconds: 10 });
    expect(makespan).toBeCloseTo(1100);
  });

  // A segment of T seconds between checkpoints, failures at rate λ, no repair: (e^{λT} − 1)/λ each (Daly 2006, eq. 1).
  test('takes as long as theory has it when devices fail', () => {
    const [checkpointEvery, betweenFailures] = [50, 100];
    const segments = 40_000;
    const settings = { ...reliable, checkpointEvery, betweenFailures, devices: 1 };
    const { makespan, failures, lost } = simulateQueue(jobs(segments * checkpointEvery), settings);
    const wanted = segments * betweenFailures * (Math.exp(checkpointEvery / betweenFailures) - 1);
    expect(makespan / wanted).toBeCloseTo(1, 2);
    expect(makespan).toBeCloseTo(segments * checkpointEvery + lost, 3);
    expect(failures / (makespan / betweenFailures)).toBeCloseTo(1, 1);
  });

  test('counts the time in which a device is repaired', () => {
    const settings = { ...reliable, betweenFailures: 1000, repair: 700, noticed: 500, devices: 1 };
    const { makespan, failures, lost } = simulateQueue(jobs(20_000), settings);
    expect(failures).toBeGreaterThan(5);
    // The only device comes back after the job has been given back.
    expect(makespan).toBeCloseTo(20_000 + lost + 700 * failures, 3);
  });
});

test('what a spread step sends is what its parts are', () => {
  const small = { ...plan, batch: 10, k: 3, d: 7, latents: 50 };
  // Three quarters of four processes' data come from others: candidates, two sums of the reconstruction, firing counts and sums, b_dec.
  expect(receivedPerStep(small, 4)).toBe(
    10 * 3 * 4 * 3 + 0.75 * (2 * 70 * 4 + 50 * 8 + 2 * 7 * 4) + 3 * 7 * 4,
  );
});

test('docs/SCALE.md has the tables that the formulas give', () => {
  const page = readFileSync(new URL('../../../docs/SCALE.md', import.meta.url), 'utf8');
  const squeezed = (text: string) => text.replaceAll(/[ -]+/g, ' ');
  for (const made of [needsTable(), queueTable(), spreadTable()])
    expect(squeezed(page)).toContain(squeezed(made));
});
