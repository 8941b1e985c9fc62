/** Plans the kills, runs them one after the other and prints figures. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { Random } from '../../sae/numerics/random.ts';
import { reading } from '../commandLine/commanderOption.ts';
import { runSuite, suiteCommand } from '../commandLine/suiteCommand.ts';
import { differences, finalBytes } from './finalBytes.ts';
import { killableCommand, type Duration, type Moment } from './killableCommand.ts';
import { killedServer } from './killedServer.ts';
import { commands, textFile, words, type KilledWork } from './killedWorks.ts';

interface Failure {
  round: number;
  kind: 'exit' | 'different' | 'lost';
  message: string;
}
interface Figures {
  work: string;
  kills: number;
  /** Kills in the middle of the work, rather than while the process started. */
  whileWorking: number;
  /** Each a fresh copy of the store, killed once to three times and then left to end. */
  rounds: number;
  failures: Failure[];
}
/** A command with its store before it and what is in the store after it. */
interface Prepared {
  work: KilledWork;
  before: string;
  expected: Map<string, string>;
  usual: Duration;
}

const serve = 'serve';

interface ChaosOptions {
  kills: number;
  seed: number;
  minutes: number;
  work?: string[];
  json?: boolean;
}

const names = [...commands.map(({ name }) => name), serve];

/** What `npm run test:chaos` takes; see chaos.mjs. */
export function chaosCommand(): Command {
  const count = (min: number) => reading({ type: 'integer', min, doc: '' });
  return suiteCommand(
    'test:chaos',
    'Kills commands and servers at random moments, and compares every byte that is left.',
  )
    .option('--kills <n>', 'altogether', count(1), 60)
    .option('--seed <n>', 'of the moments', count(0), 1)
    .addOption(
      new Option('--work <work>', `only this one; may be repeated: ${names.join(', ')}`).argParser(works),
    )
    .option(
      '--minutes <n>',
      'end after this long, with fewer kills',
      reading({ type: 'number', min: 0, above: true, doc: '' }),
      600,
    )
    .option('--json', 'one JSON document instead of lines');
}

function works(name: string, before: unknown): string[] {
  if (!names.includes(name)) throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  return [...(Array.isArray(before) ? before : []), name];
}

export const chaosSuite = (args: readonly string[]) => runSuite(chaosCommand(), args, chaos);

/** Whether nothing was lost. */
async function chaos(values: ChaosOptions): Promise<boolean> {
  const { kills, seed, minutes } = values;
  const chosen = names.filter((name) => values.work?.includes(name) ?? true);
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-chaos-'));
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const started = performance.now();
  try {
    const { prepared, last } = await prepare(folder, say);
    const random = Random.fromSeed(seed, 'chaos');
    const all = chosen.map((work): Figures => ({ work, kills: 0, whileWorking: 0, rounds: 0, failures: [] }));
    const done = () => all.reduce((sum, figures) => sum + figures.kills, 0);
    for (let round = 0; done() < kills && performance.now() - started < 60_000 * minutes; round++) {
      const figures = all[round % all.length];
      // Few kills are spread over all works; many also hit what was started again.
      const most = Math.min(kills - done(), kills < 10 * all.length ? 1 : 1 + random.below(3));
      const copy = join(folder, 'copy');
      const one = prepared.find(({ work }) => work.name === figures.work);
      await cp(one?.before ?? last, copy, { recursive: true });
      const failure = one
        ? await killCommand(one, copy, most, random, figures)
        : await killServer(copy, most, random, figures);
      figures.rounds++;
      if (failure) {
        figures.failures.push({ round, ...failure });
        say(`${figures.work}, round ${round}: ${failure.kind}: ${failure.message}`);
      }
      await rm(copy, { recursive: true, force: true });
    }
    const failed = all.reduce((sum, { failures }) => sum + failures.length, 0);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const report = { asked: kills, kills: done(), seed, seconds, failed, works: all };
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : written(report));
    return failed === 0;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function written(report: { kills: number; seed: number; seconds: number; failed: number; works: Figures[] }) {
  const lines = report.works.map(
    ({ work, kills, whileWorking, rounds, failures }) =>
      `${work}: ${kills} kills (${whileWorking} while it worked) in ${rounds} rounds, ${failures.length} failed`,
  );
  const { kills, seed, failed, seconds } = report;
  return `${[...lines, `chaos: ${kills} kills, seed ${seed}: ${failed} failed, ${seconds} s`].join('\n')}\n`;
}

/** Every command once, undisturbed, and the store before each. */
async function prepare(folder: string, say: (line: string) => void) {
  const store = join(folder, 'store');
  const prepared: Prepared[] = [];
  await mkdir(store);
  await writeFile(join(store, textFile), words());
  for (const [at, work] of commands.entries()) {
    const before = join(folder, `before-${at}`);
    await cp(store, before, { recursive: true });
    const { status, said, took } = await killableCommand(work.start(store));
    if (status !== 0) throw new Error(`${work.name} failed undisturbed: ${said}`);
    say(`${work.name}: ${Math.round(took.start)} ms to start, ${Math.round(took.work)} ms of work`);
    prepared.push({ work, before, expected: await finalBytes(store), usual: took });
  }
  return { prepared, last: store };
}

async function killCommand(
  prepared: Prepared,
  store: string,
  most: number,
  random: Random,
  figures: Figures,
): Promise<Omit<Failure, 'round'> | undefined> {
  const { work, expected, usual } = prepared;
  for (let kill = 0; kill < most; kill++) {
    // A start is the same in all commands, so most kills are later.
    const moment: Moment = { phase: random.uniform() < 0.15 ? 'start' : 'work', share: random.uniform() };
    const ended = await killableCommand(kill === 0 ? work.start(store) : work.again(store), {
      moment,
      usual,
    });
    if (!ended.killed) {
      if (ended.status !== 0) return { kind: 'exit', message: `status ${ended.status}: ${ended.said}` };
      // It was done before its moment; the next moments come earlier.
      prepared.usual = ended.took;
      break;
    }
    figures.kills++;
    if (moment.phase === 'work') figures.whileWorking++;
  }
  const { status, said } = await killableCommand(work.again(store));
  if (status !== 0) return { kind: 'exit', message: `started again, status ${status}: ${said}` };
  const different = differences(await finalBytes(store), expected);
  return different.length === 0
    ? undefined
    : { kind: 'different', message: `${different.length} files: ${different.slice(0, 4).join(', ')}` };
}

async function killServer(
  store: string,
  most: number,
  random: Random,
  figures: Figures,
): Promise<Omit<Failure, 'round'> | undefined> {
  const shares = Array.from({ length: most }, () => random.uniform());
  const lost = await killedServer(store, shares);
  figures.kills += most;
  figures.whileWorking += most;
  return lost.length === 0 ? undefined : { kind: 'lost', message: lost.slice(0, 3).join('; ') };
}
