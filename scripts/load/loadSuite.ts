/** Runs the load, within its time and a minute, and prints figures whatever ends it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { reading } from '../commandLine/commanderOption.ts';
import { runSuite, suiteCommand } from '../commandLine/suiteCommand.ts';
import { eventually } from './eventually.ts';
import { again, Explorers } from './explorers.ts';
import { loadedServer, type LoadedServer } from './loadedServer.ts';
import { loadReport, mostRise, mostSlowdown, reportLines, slowdown, type LoadOptions } from './loadReport.ts';
import type { Measured, Pair, Spell } from './measured.ts';
import { readersThatTakeNothing, writeLargeCurves } from './slowReaders.ts';

/** Seconds beside those of `--minutes` for the store, the server and the end; then the figures so far are printed. */
const patience = 60;

/** What `npm run test:load` takes; see load.mjs. */
export function loadCommand(): Command {
  const count = reading({ type: 'integer', min: 0, doc: '' });
  const amount = reading({ type: 'number', min: 0, above: true, doc: '' });
  return suiteCommand('test:load', 'Many explorers and a training job on one server.')
    .option('--explorers <n>', 'open at a time', count, 500)
    .option('--watchers <n>', 'of them with the list of jobs open, which is a subscription', count, 50)
    .option('--pause <seconds>', 'between two questions of an explorer, on average', amount, 20)
    .option(
      '--minutes <n>',
      `altogether; ${patience} s later at the latest the figures so far are printed`,
      amount,
      5,
    )
    .option('--spell <seconds>', 'of a spell with explorers, and of one without', amount, 15)
    .option(
      '--strict',
      `for a quiet machine and half an hour: training at most ${mostSlowdown} % slower, half of the answers within 150 ms, the server's memory after collections of garbage rising by at most ${mostRise} % in the second half`,
    )
    .option('--json', 'one JSON document instead of lines');
}

export const loadSuite = (args: readonly string[]) => runSuite(loadCommand(), args, load);

/** Whether there was no fault. */
async function load(options: LoadOptions): Promise<boolean> {
  if (options.watchers > options.explorers)
    throw new LazyscopeError(
      'bad_input',
      `--watchers ${options.watchers} are more than --explorers ${options.explorers}: watchers are some of the explorers.`,
    );
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const measured: Measured = {
    people: undefined,
    pairs: [],
    slowReaders: null,
    subscriptions: { most: 0, after: null },
  };
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-load-'));
  const opened: { server?: LoadedServer } = {};
  try {
    const work = (async () => {
      const store = await writeFixtureStore(folder);
      await writeLargeCurves(store);
      opened.server = await loadedServer(store);
      await underLoad(opened.server, options, measured, seconds);
      return null;
    })();
    // What is cut short may fail afterwards, and is of no more interest.
    work.catch(() => {});
    const cut = await Promise.race([work, itsEnd(60 * options.minutes + patience)]);
    const report = loadReport(measured, options, seconds(), cut);
    const text = options.json ? `${JSON.stringify(report, null, 2)}\n` : reportLines(report);
    await new Promise((resolve) => process.stdout.write(text, resolve));
    return report.faults.length === 0;
  } finally {
    await opened.server?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Resolves, in words, once the time is over or Ctrl-C is pressed. */
function itsEnd(limit: number): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(`not done after ${Math.round(limit)} s`), 1_000 * limit).unref();
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => resolve(`stopped by ${signal}`));
  });
}

async function underLoad(
  server: LoadedServer,
  options: LoadOptions,
  measured: Measured,
  seconds: () => number,
): Promise<void> {
  const training = await startTraining(server);
  const openBefore = await server.figure('process_open_fds');
  const people = new Explorers(server.url, options);
  measured.people = people;
  // A pair at least, and each pair the other way round, so that a drift counts for neither.
  for (let at = 0; at === 0 || seconds() + 2 * options.spell < 60 * options.minutes; at++) {
    const pair: Pair = { spells: [], minutes: seconds() / 60, rss: [], settled: undefined };
    measured.pairs.push(pair);
    for (const explorers of at % 2 === 0 ? [false, true] : [true, false]) {
      if (explorers) people.resume();
      else people.pause();
      // What was asked before is answered first.
      await sleep(500);
      const took = await processorOf(server);
      const from = { steps: await training.steps(), at: performance.now() };
      const until = performance.now() + 1000 * options.spell;
      while (performance.now() < until) {
        await sleep(Math.min(2_000, Math.max(0, until - performance.now())));
        await readFigures(server, pair, measured);
      }
      const steps = (await training.steps()) - from.steps;
      const seconds = (performance.now() - from.at) / 1000;
      const now = await processorOf(server);
      const processor = { server: now.server - took.server, explorers: now.explorers - took.explorers };
      pair.spells.push({ explorers, steps, seconds, processor });
    }
    pair.minutes = (pair.minutes + seconds() / 60) / 2;
    await server.collect();
    const { process_resident_memory_bytes: resident, nodejs_heap_size_used_bytes: heap } =
      await server.figures('process_resident_memory_bytes', 'nodejs_heap_size_used_bytes');
    pair.settled = { rss: resident / 2 ** 20, heap: heap / 2 ** 20 };
    say(options, measured, pair, seconds());
  }
  people.resume();
  const slowReaders = await readersThatTakeNothing(server);
  await people.leave();
  const openAfter = await eventually(async () =>
    Math.max(0, (await server.figure('process_open_fds')) - openBefore),
  );
  measured.slowReaders = { ...slowReaders, openAfter };
  measured.subscriptions.after = await eventually(() => server.figure('lazyscope_subscriptions'));
  await training.stop();
}

async function readFigures(server: LoadedServer, pair: Pair, measured: Measured): Promise<void> {
  const found = await server.figures('process_resident_memory_bytes', 'lazyscope_subscriptions');
  pair.rss.push(found.process_resident_memory_bytes / 2 ** 20);
  const { subscriptions } = measured;
  subscriptions.most = Math.max(subscriptions.most, found.lazyscope_subscriptions);
}

/** A line of progress on standard error. */
function say(options: LoadOptions, { pairs, people }: Measured, pair: Pair, seconds: number): void {
  const resident = pair.rss.toSorted((a, b) => a - b)[Math.floor(pair.rss.length / 2)];
  process.stderr.write(
    `load: pair ${pairs.length}, ${(seconds / 60).toFixed(1)} of ${options.minutes} min: ${people?.answers.length} answers, ${people?.errors.length} errors, ` +
      `memory ${resident.toFixed(0)} MB (${pair.settled?.rss.toFixed(0)} after a collection), training ${slowdown(pair).toFixed(1)} % slower with explorers\n`,
  );
}

/** Seconds of a processor that each has taken so far. */
async function processorOf(server: LoadedServer): Promise<Spell['processor']> {
  const { user, system } = process.cpuUsage();
  return { server: await server.figure('process_cpu_seconds_total'), explorers: (user + system) / 1e6 };
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
