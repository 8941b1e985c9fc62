/** Runs the load and prints figures. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MetricsWriter, type MetricsRow } from '../../sae/training/metrics.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { again, Explorers, type Answered } from './explorers.ts';
import { loadedServer, type LoadedServer } from './loadedServer.ts';

/** Run whose curves are a large table, and how many readers take nothing of it. */
const slowlyRead = { run: 'fixture-relu', readers: 24 };
/** Bytes of memory that the server may have for readers who together ask for 600 MB and take nothing. */
const mostForReaders = 300 << 20;
/** By how much the memory of the second half of the time may be above that of the first. */
const mostGrowth = 1.15;

interface Spell {
  explorers: boolean;
  steps: number;
  seconds: number;
}

export interface LoadReport {
  explorers: number;
  watchers: number;
  pause: number;
  seconds: number;
  answers: number;
  errors: Record<string, number>;
  p50: number;
  p99: number;
  /** Steps a second of the training while explorers ask, beside without: the median over pairs of spells, in %. */
  trainingSlowdown: number;
  spells: number;
  /** Of the server, in MB: the median of each half of the time, and the most. */
  rss: { first: number; second: number; most: number };
  /** `openAfter`: files that are open once they have left, above those that were open before. */
  slowReaders: { readers: number; risenMb: number; openAfter: number };
  subscriptions: { most: number; after: number };
  faults: string[];
}

export async function loadSuite(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      explorers: { type: 'string', default: '500' },
      watchers: { type: 'string', default: '50' },
      pause: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '5' },
      spell: { type: 'string', default: '15' },
      strict: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const numbers = [values.explorers, values.watchers, values.pause, values.minutes, values.spell].map(Number);
  const [explorers, watchers, pause, minutes, spell] = numbers;
  if (!numbers.every((one) => one >= 0)) throw new Error('the options take numbers');
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-load-'));
  let server: LoadedServer | undefined;
  try {
    const store = await writeFixtureStore(folder);
    await writeLargeCurves(store);
    server = await loadedServer(store);
    const report = await underLoad(server, {
      explorers,
      watchers,
      pause,
      minutes,
      spell,
      strict: values.strict,
    });
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : written(report));
    return report.faults.length === 0;
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function underLoad(
  server: LoadedServer,
  options: {
    explorers: number;
    watchers: number;
    pause: number;
    minutes: number;
    spell: number;
    strict: boolean;
  },
): Promise<LoadReport> {
  const training = await startTraining(server);
  const memory: number[] = [];
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const people = new Explorers(server.url, options);
  const spells: Spell[] = [];
  let most = 0;
  // A pair at least, and each pair the other way round, so that a drift counts for neither.
  for (let pair = 0; pair === 0 || seconds() + 2 * options.spell < 60 * options.minutes; pair++)
    for (const explorers of pair % 2 === 0 ? [false, true] : [true, false]) {
      if (explorers) people.resume();
      else people.pause();
      // What was asked before is answered first.
      await sleep(500);
      const from = { steps: await training.steps(), at: performance.now() };
      const until = performance.now() + 1000 * options.spell;
      while (performance.now() < until) {
        await sleep(Math.min(2_000, Math.max(0, until - performance.now())));
        memory.push((await server.figure('process_resident_memory_bytes')) / 2 ** 20);
        most = Math.max(most, await server.figure('lazyscope_subscriptions'));
      }
      const steps = (await training.steps()) - from.steps;
      spells.push({ explorers, steps, seconds: (performance.now() - from.at) / 1000 });
    }
  people.resume();
  const slowReaders = await readersThatTakeNothing(server);
  await people.leave();
  const subscriptions = { most, after: await eventually(() => server.figure('lazyscope_subscriptions')) };
  await training.stop();
  const report: LoadReport = {
    explorers: options.explorers,
    watchers: options.watchers,
    pause: options.pause,
    seconds: Math.round(seconds()),
    answers: people.answers.length,
    errors: counted(people.errors),
    p50: quantile(people.answers, 0.5),
    p99: quantile(people.answers, 0.99),
    trainingSlowdown: slowdown(spells),
    spells: spells.length,
    rss: {
      first: median(memory.slice(0, memory.length / 2)),
      second: median(memory.slice(memory.length / 2)),
      most: Math.round(Math.max(...memory)),
    },
    slowReaders,
    subscriptions,
    faults: [],
  };
  report.faults = faultsOf(report, options.strict, people.events);
  return report;
}

function faultsOf(report: LoadReport, strict: boolean, events: number): string[] {
  const { errors, answers, rss, slowReaders, subscriptions, watchers, trainingSlowdown, p50 } = report;
  const faults: [boolean, string][] = [
    [Object.keys(errors).length > 0, 'explorers were answered with errors'],
    [answers === 0 || (watchers > 0 && events === 0), 'nothing was answered'],
    // Memory settles in the first minutes.
    [report.seconds > 240 && rss.second > mostGrowth * rss.first, 'the memory of the server grew'],
    [slowReaders.risenMb > mostForReaders / 2 ** 20, 'slow readers took more memory than there is for them'],
    // Connections of explorers come and go meanwhile.
    [slowReaders.openAfter > slowlyRead.readers / 2, 'files stay open for readers that have left'],
    [subscriptions.most < watchers, 'subscriptions are missing'],
    [subscriptions.after > 0, 'subscriptions outlive those who had them'],
    [strict && trainingSlowdown > 15, 'training is more than 15 % slower'],
    [strict && p50 > 150, 'half of the answers take more than 150 ms'],
  ];
  return faults.filter(([is]) => is).map(([, words]) => words);
}

/** A training that goes on until it is stopped. */
async function startTraining({ client }: LoadedServer) {
  const { id } = await client.jobs.start.mutate({
    kind: 'train',
    options: { architecture: 'topk', capture: 'fixture', name: 'under-load', width: 1024, tokens: 2_000_000_000, k: 8, batchSize: 512 },
  }); // prettier-ignore
  const steps = async () => {
    const job = await again(() => client.jobs.get.query({ id }));
    if (job.finishedAt) throw new Error(`the training ended: ${job.error}`);
    return job.progress?.done ?? 0;
  };
  while ((await steps()) === 0) await sleep(100);
  return {
    steps,
    async stop() {
      await client.jobs.cancel.mutate({ id });
      await eventually(async () => ((await client.jobs.get.query({ id })).finishedAt ? 0 : 1));
    },
  };
}

async function writeLargeCurves(store: StoreLayout): Promise<void> {
  const row: MetricsRow = { step: 1, tokens: 2, seed: 0, loss: 3, mse: 4, fvu: 0.5, l0: 6, deadFraction: 0, learningRate: 1, sparsityCoefficient: 0, tokensPerSecond: 9 }; // prettier-ignore
  const writer = await MetricsWriter.open(store.runMetrics(slowlyRead.run), 0);
  for (let part = 0; part < 5; part++)
    await writer.append(
      Array.from({ length: 60_000 }, (_, at) => ({ ...row, step: part * 60_000 + at + 1 })),
    );
  await writer.close();
}

async function readersThatTakeNothing(server: LoadedServer): Promise<LoadReport['slowReaders']> {
  const before = await server.figure('process_resident_memory_bytes');
  const path = `/api/arrow/metrics/${slowlyRead.run}`;
  const sockets: Socket[] = [];
  const open = await server.figure('process_open_fds');
  let risen = 0;
  for (let reader = 0; reader < slowlyRead.readers; reader++) {
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
    await sleep(100);
    risen = Math.max(risen, (await server.figure('process_resident_memory_bytes')) - before);
  }
  for (const socket of sockets) socket.destroy();
  const openAfter = await eventually(async () =>
    Math.max(0, (await server.figure('process_open_fds')) - open),
  );
  return { readers: slowlyRead.readers, risenMb: Math.round(risen / 2 ** 20), openAfter };
}

/** The figure once it is 0, or what it is after a while. */
async function eventually(figure: () => Promise<number>): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await figure()) === 0) return 0;
    await sleep(100);
  }
  return figure();
}

/** Of pairs of neighbouring spells, in %: how much longer a step takes while explorers ask. */
function slowdown(spells: readonly Spell[]): number {
  const pairs = Array.from({ length: Math.floor(spells.length / 2) }, (_, at) =>
    spells.slice(2 * at, 2 * at + 2),
  );
  const rate = (pair: Spell[], explorers: boolean) =>
    pair.filter((one) => one.explorers === explorers).reduce((sum, one) => sum + one.steps / one.seconds, 0);
  return median(pairs.map((pair) => 100 * (rate(pair, false) / rate(pair, true) - 1)));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(10 * (sorted[Math.floor(sorted.length / 2)] ?? NaN)) / 10;
}

function quantile(answers: readonly Answered[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return Math.round(10 * (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN)) / 10;
}

function counted(messages: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const message of messages) counts[message] = (counts[message] ?? 0) + 1;
  return counts;
}

function written(report: LoadReport): string {
  const { explorers, watchers, pause, answers, errors, rss, slowReaders, subscriptions, faults } = report;
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  return `${[
    `load: ${explorers} explorers (${watchers} watch jobs), each asking every ${pause} s, and a training job, ${report.seconds} s`,
    `answers: ${answers}, ${failed} errors, p50 ${report.p50} ms, p99 ${report.p99} ms`,
    `training: ${report.trainingSlowdown} % slower with explorers (median of ${report.spells / 2} pairs of spells)`,
    `server's memory: ${rss.first} MB in the first half, ${rss.second} MB in the second, ${rss.most} MB at most`,
    `${slowReaders.readers} readers that take nothing: memory rose by ${slowReaders.risenMb} MB, ${slowReaders.openAfter} files open after they left`,
    `subscriptions: ${subscriptions.most}, and ${subscriptions.after} after all had left`,
    faults.length === 0 ? 'load: no fault' : `load: ${faults.join('; ')}`,
    ...Object.entries(errors).map(([message, count]) => `  ${count} × ${message}`),
  ].join('\n')}\n`;
}
