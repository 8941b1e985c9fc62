import { describe, expect, test } from 'vitest';
import { loadReport, slowdown, type LoadOptions } from './loadReport.ts';
import type { Measured, Pair } from './measured.ts';

const options: LoadOptions = { explorers: 2, watchers: 0, pause: 1, minutes: 30, spell: 20 };
const pairAt = (at: number, rss: number, stepsWith: number): Pair => ({
  minutes: at,
  rss: [rss - 1, rss, rss + 1],
  settled: { rss, heap: 60 },
  spells: [at % 2 === 0, at % 2 === 1].map((explorers) => ({
    explorers,
    steps: explorers ? stepsWith : 110,
    seconds: 20,
    processor: explorers ? { server: 3, explorers: 2 } : { server: 1, explorers: 0.5 },
  })),
});
const measuredWith = (pairs: Pair[]): Measured => ({
  people: undefined,
  pairs,
  slowReaders: null,
  subscriptions: { most: 0, after: 0 },
});

describe('a report', () => {
  test('says by how much longer a step takes while explorers ask, whichever spell came first', () => {
    expect(slowdown(pairAt(0, 300, 100))).toBeCloseTo(10, 12);
    expect(slowdown(pairAt(1, 300, 100))).toBeCloseTo(10, 12);
    const pairs = Array.from({ length: 10 }, (_, i) => pairAt(i, 300, i === 4 ? 10 : 100));
    const { trainingSlowdown, trainingSlowdownInterval } = loadReport(
      measuredWith(pairs),
      options,
      1800,
      null,
    );
    expect([trainingSlowdown, trainingSlowdownInterval]).toEqual([10, [10, 10]]);
  });

  test('says what the server and those who ask take of a processor, above what they take anyway', () => {
    const people = {
      answers: Array.from({ length: 160 }, () => ({ question: 'any', ms: 5 })),
      errors: [],
      events: 0,
    };
    const measured = { ...measuredWith([0, 1, 2, 3].map((at) => pairAt(at, 300, 100))), people };
    const { processor } = loadReport(measured as unknown as Measured, options, 160, null);
    // 8 s more for 160 answers, and 6 s more in 80 s.
    expect(processor).toEqual({ serverMsAnAnswer: 50, explorers: 0.075 });
    expect(loadReport(measuredWith([]), options, 1, null).processor).toEqual({
      serverMsAnAnswer: null,
      explorers: null,
    });
  });

  test('memory that settles is flat, memory that rises all the time grows, and ten minutes of noise decide nothing', () => {
    const risen = (of: (at: number) => number, pairs = 40) =>
      loadReport(
        measuredWith(Array.from({ length: pairs }, (_, i) => pairAt(i, of(i), 100))),
        options,
        1800,
        null,
      );
    const settles = risen((at) => 300 - 100 * Math.exp(-at / 3) + Math.sin(5 * at));
    expect(settles.rise.settled).toMatchObject({ verdict: 'flat' });
    const leaks = risen((at) => 200 + 3 * at + Math.sin(5 * at));
    expect(leaks.rise.settled).toMatchObject({ verdict: 'grows' });
    expect(leaks.rise.settled!.perMinute.median).toBeCloseTo(3, 1);
    expect(leaks.faults).toContain('the memory of the server grew');
    const strictly = (of: (at: number) => number) =>
      loadReport(
        measuredWith(Array.from({ length: 40 }, (_, i) => pairAt(i, of(i), 100))),
        { ...options, strict: true },
        1800,
        null,
      ).faults;
    const unproven = 'what the server keeps has not been shown to rise by less than 5 %';
    expect(strictly(() => 300)).not.toContain(unproven);
    expect(strictly((at) => 300 + 60 * Math.sin(5 * at * at))).toContain(unproven);
    expect(risen((at) => 300 + 60 * Math.sin(5 * at * at), 20).rise.settled).toMatchObject({
      verdict: 'undecided',
    });
  });

  test('of a run that was cut short before its first spell says so, and has no figure that was not measured', () => {
    const report = loadReport(measuredWith([]), options, 3, 'stopped by SIGINT');
    expect(report).toMatchObject({
      cut: 'stopped by SIGINT',
      p50: null,
      trainingSlowdown: null,
      rise: { settled: null },
    });
    expect(report.faults).toContain('stopped by SIGINT: these are the figures until then');
  });
});
