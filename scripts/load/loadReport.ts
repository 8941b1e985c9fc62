/** Figures of a load run, and what in them is a fault. */
import type { Answered } from './explorers.ts';
import { medianInterval, type Estimate } from './medianInterval.ts';
import type { Measured, Pair, SlowReaders, Spell } from './measured.ts';
import { slopeInterval } from './slopeInterval.ts';

/** Bytes of memory that the server may have for readers who together ask for 600 MB and take nothing. */
const mostForReaders = 300 << 20;
/** In %: how much of what it has the server's memory, after a collection of garbage, may rise by within the second half of the time. */
export const mostRise = 5;
/** In %: how much slower a training may be while explorers ask. */
export const mostSlowdown = 15;
/** Milliseconds within which half of the answers come. */
const usualAnswer = 150;
/** Minutes in which memory settles, so that a rise says nothing. */
const settling = 4;

export interface LoadOptions {
  explorers: number;
  watchers: number;
  pause: number;
  minutes: number;
  spell: number;
  strict?: boolean;
  json?: boolean;
}

export interface Rise {
  /** MB a minute in the second half of the time. */
  perMinute: Estimate;
  /** In % of the memory, over the second half: the slope times its length. */
  percent: number;
  interval: [number, number] | null;
  /** Whether the whole interval lies below `mostRise`, the whole of it above, or neither. */
  verdict: 'flat' | 'grows' | 'undecided';
}

export interface LoadReport {
  explorers: number;
  watchers: number;
  pause: number;
  seconds: number;
  /** Why it ended before its time; null where it didn't. */
  cut: string | null;
  answers: number;
  errors: Record<string, number>;
  p50: number | null;
  p99: number | null;
  /** By how much a step of the training takes longer while explorers ask, in %: the median over pairs of spells. */
  trainingSlowdown: number | null;
  /** 95 %, of that median; null for five pairs or fewer. */
  trainingSlowdownInterval: [number, number] | null;
  spells: number;
  /**
   * Of a processor, while explorers ask above what is taken while none does: milliseconds of the server for an answer, and how many
   * processors the explorers themselves take on this machine, which slows the training as well.
   */
  processor: { serverMsAnAnswer: number | null; explorers: number | null };
  /** Of the server, in MB: the median of each half of the time, and the most. */
  rss: { first: number | null; second: number | null; most: number | null };
  /** Of what is resident, and of what is resident, and used of the JavaScript heap, after collections of garbage. The second tells of a leak. */
  rise: { rss: Rise | null; settled: Rise | null; heap: Rise | null };
  slowReaders: SlowReaders | null;
  subscriptions: Measured['subscriptions'];
  faults: string[];
}

export function loadReport(
  measured: Measured,
  options: LoadOptions,
  seconds: number,
  cut: string | null,
): LoadReport {
  const { people, pairs } = measured;
  const answers = people?.answers ?? [];
  const whole = pairs.filter(({ spells }) => spells.length === 2);
  const settled = whole.filter((pair): pair is SettledPair => pair.settled !== undefined);
  const memory = pairs.flatMap(({ rss }) => rss);
  const slower = whole.length > 0 ? medianInterval(whole.map(slowdown)) : null;
  const report: LoadReport = {
    explorers: options.explorers,
    watchers: options.watchers,
    pause: options.pause,
    seconds: Math.round(seconds),
    cut,
    answers: answers.length,
    errors: counted(people?.errors ?? []),
    p50: quantile(answers, 0.5),
    p99: quantile(answers, 0.99),
    trainingSlowdown: slower && tenths(slower.median),
    trainingSlowdownInterval: slower?.interval ? both(slower.interval, tenths) : null,
    spells: pairs.reduce((sum, { spells }) => sum + spells.length, 0),
    processor: processorOf(whole, answers.length),
    rss: {
      first: middle(memory.slice(0, memory.length / 2)),
      second: middle(memory.slice(memory.length / 2)),
      most: memory.length > 0 ? Math.round(Math.max(...memory)) : null,
    },
    rise: {
      rss: rise(whole, ({ rss }) => medianInterval(rss).median),
      settled: rise(settled, ({ settled: after }) => after.rss),
      heap: rise(settled, ({ settled: after }) => after.heap),
    },
    slowReaders: measured.slowReaders,
    subscriptions: measured.subscriptions,
    faults: [],
  };
  report.faults = faultsOf(report, options, people?.events ?? 0);
  return report;
}

/** In the second half of the time; one value a pair, so that each has as much of both kinds of spells. */
function rise<Of extends Pair>(pairs: readonly Of[], valueOf: (pair: Of) => number): Rise | null {
  const half = pairs.slice(Math.floor(pairs.length / 2));
  if (half.length < 2) return null;
  const minutes = half.map((pair) => pair.minutes);
  const values = half.map(valueOf);
  const perMinute = slopeInterval(minutes, values);
  // From the beginning of the first pair to the end of the last.
  const length = ((minutes[half.length - 1] - minutes[0]) * half.length) / (half.length - 1);
  const percent = (slope: number) => tenths((100 * slope * length) / medianInterval(values).median);
  const interval = perMinute.interval && both(perMinute.interval, percent);
  return {
    perMinute: {
      median: thousandths(perMinute.median),
      interval: perMinute.interval && both(perMinute.interval, thousandths),
    },
    percent: percent(perMinute.median),
    interval,
    verdict:
      interval && interval[1] <= mostRise
        ? 'flat'
        : interval && interval[0] > mostRise
          ? 'grows'
          : 'undecided',
  };
}

/** In %: how much longer a step takes while explorers ask. */
export function slowdown({ spells }: Pair): number {
  const rate = (explorers: boolean) => {
    const some = spells.filter((one) => one.explorers === explorers);
    const sum = (of: (spell: Spell) => number) => some.reduce((total, one) => total + of(one), 0);
    return sum(({ steps }) => steps) / sum(({ seconds }) => seconds);
  };
  return 100 * (rate(false) / rate(true) - 1);
}

function processorOf(pairs: readonly Pair[], answers: number): LoadReport['processor'] {
  const sum = (of: (spell: Spell) => number, explorers: boolean) =>
    pairs
      .flatMap(({ spells }) => spells.filter((one) => one.explorers === explorers))
      .reduce((total, one) => total + of(one), 0);
  const [asking, quiet] = [true, false].map((explorers) => sum(({ seconds }) => seconds, explorers));
  if (asking === 0 || quiet === 0 || answers === 0) return { serverMsAnAnswer: null, explorers: null };
  const more = (of: keyof Spell['processor']) =>
    sum(({ processor }) => processor[of], true) -
    (sum(({ processor }) => processor[of], false) * asking) / quiet;
  return {
    serverMsAnAnswer: tenths((1000 * more('server')) / answers),
    explorers: thousandths(more('explorers') / asking),
  };
}

function faultsOf(report: LoadReport, options: LoadOptions, events: number): string[] {
  const { errors, answers, rise: { settled, heap }, slowReaders, subscriptions, cut, p50 } = report; // prettier-ignore
  const slower = report.trainingSlowdownInterval?.[1] ?? report.trainingSlowdown ?? Infinity;
  const strict = options.strict === true;
  const faults: [boolean, string][] = [
    [cut !== null, `${cut}: these are the figures until then`],
    [Object.keys(errors).length > 0, 'explorers were answered with errors'],
    [answers === 0 || (options.watchers > 0 && events === 0), 'nothing was answered'],
    [
      report.seconds > 60 * settling && (settled?.verdict === 'grows' || heap?.verdict === 'grows'),
      'the memory of the server grew',
    ],
    [
      slowReaders !== null && slowReaders.risenMb > mostForReaders / 2 ** 20,
      'slow readers took more memory than there is for them',
    ],
    // The training opens and closes a few.
    [
      slowReaders !== null && slowReaders.openAfter > slowReaders.readers / 2,
      'files stay open for readers that have left',
    ],
    [cut === null && subscriptions.most < options.watchers, 'subscriptions are missing'],
    [(subscriptions.after ?? 0) > 0, 'subscriptions outlive those who had them'],
    [
      strict && settled?.verdict !== 'flat',
      `what the server keeps has not been shown to rise by less than ${mostRise} %`,
    ],
    [strict && slower > mostSlowdown, `training has not been shown to be at most ${mostSlowdown} % slower`],
    [strict && (p50 ?? Infinity) > usualAnswer, `half of the answers take more than ${usualAnswer} ms`],
  ];
  return faults.filter(([is]) => is).map(([, words]) => words);
}

type SettledPair = Pair & { settled: NonNullable<Pair['settled']> };

const memories = {
  rss: 'memory',
  settled: 'memory after collections',
  heap: 'heap after collections',
} as const;

const tenths = (value: number) => Math.round(10 * value) / 10;
const thousandths = (value: number) => Math.round(1000 * value) / 1000;
const both = ([from, to]: [number, number], round: (value: number) => number): [number, number] => [
  round(from),
  round(to),
];

function middle(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return tenths(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]);
}

function quantile(answers: readonly Answered[], share: number): number | null {
  if (answers.length === 0) return null;
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return tenths(sorted[Math.floor(share * (sorted.length - 1))]);
}

function counted(messages: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const message of messages) counts[message] = (counts[message] ?? 0) + 1;
  return counts;
}

export function reportLines(report: LoadReport): string {
  const {
    explorers,
    watchers,
    pause,
    answers,
    errors,
    processor,
    rss,
    rise,
    slowReaders,
    subscriptions,
    faults,
  } = report;
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  const range = (interval: [number, number] | null) =>
    interval ? `95 % interval ${interval[0]} to ${interval[1]}` : 'too few spells for an interval';
  return `${[
    `load: ${explorers} explorers (${watchers} watch jobs), each asking every ${pause} s, and a training job, ${report.seconds} s`,
    `answers: ${answers}, ${failed} errors, p50 ${report.p50} ms, p99 ${report.p99} ms`,
    `training: ${report.trainingSlowdown} % slower with explorers (${range(report.trainingSlowdownInterval)}; median of ${Math.floor(report.spells / 2)} pairs of spells)`,
    `of a processor: ${processor.serverMsAnAnswer} ms of the server an answer, ${processor.explorers} processors for asking, which slows training too`,
    `server's memory: ${rss.first} MB in the first half, ${rss.second} MB in the second, ${rss.most} MB at most`,
    ...(['rss', 'settled', 'heap'] as const).flatMap((kind) => {
      const one = rise[kind];
      return one
        ? `${memories[kind]} in the second half: ${one.perMinute.median} MB a minute, which is ${one.percent} % of it (${range(one.interval)}): ${one.verdict}`
        : [];
    }),
    ...(slowReaders
      ? [
          `${slowReaders.readers} readers that take nothing: memory rose by ${slowReaders.risenMb} MB, ${slowReaders.openAfter} files open after they left`,
        ]
      : []),
    `subscriptions: ${subscriptions.most}, and ${subscriptions.after ?? 'not counted'} after all had left`,
    faults.length === 0 ? 'load: no fault' : `load: ${faults.join('; ')}`,
    ...Object.entries(errors).map(([message, count]) => `  ${count} × ${message}`),
  ].join('\n')}\n`;
}
