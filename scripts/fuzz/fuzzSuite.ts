/** Runs the cases of every format, each format in a process that may die, and prints figures. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { reading } from '../commandLine/commanderOption.ts';
import { runSuite, suiteCommand } from '../commandLine/suiteCommand.ts';
import { fuzzedFormats } from './fuzzedFormats.ts';
import type { CaseReport } from './caseReport.ts';
import { processState, type ProcessState } from './processState.ts';

/** Wall-clock milliseconds without a word from a process, after which it is looked at; several times what a case may take. */
const patience = 30_000;
/** Seconds of processor time without a word in which it hangs, however little of the machine it gets. */
const longest = 5;
/** Failing cases of a format that are printed. */
const mostPrinted = 5;

interface Failure {
  case: number;
  kind: string;
  message: string;
}
interface Figures {
  format: string;
  cases: number;
  accepted: number;
  refused: number;
  /** Processor time of the slowest case. */
  slowestMs: number;
  /** The largest rise of memory above four times the file, in MB. */
  mostMemoryMb: number;
  failures: Failure[];
}

interface FuzzOptions {
  cases: number;
  seed: number;
  format?: string[];
  json?: boolean;
}

/** What `npm run test:fuzz` takes; see fuzz.mjs. */
export function fuzzCommand(): Command {
  const count = (doc: string, min: number) => reading({ type: 'integer', min, doc });
  return suiteCommand('test:fuzz', 'Damaged and hostile files of every format that is read.')
    .option('--cases <n>', 'of each format', count('cases', 1), 2_000)
    .option(
      '--seed <n>',
      'where to begin; a failing case is run again by its number and --cases 1',
      count('seed', 0),
      1,
    )
    .addOption(new Option('--format <format>', 'only this one; may be repeated').argParser(formats))
    .option('--json', 'one JSON document instead of lines');
}

function formats(name: string, before: unknown): string[] {
  const names = fuzzedFormats.map((format) => format.name);
  if (!names.includes(name)) throw new InvalidArgumentError(`It must be one of ${names.join(', ')}.`);
  return [...(Array.isArray(before) ? before : []), name];
}

export const fuzzSuite = (args: readonly string[]) => runSuite(fuzzCommand(), args, fuzz);

/** Whether no case failed. */
async function fuzz(values: FuzzOptions): Promise<boolean> {
  const { cases, seed } = values;
  const names = fuzzedFormats.map(({ name }) => name).filter((name) => values.format?.includes(name) ?? true);
  const started = performance.now();
  const all: Figures[] = [];
  for (const name of names) {
    const figures = await fuzzFormat(name, seed, cases);
    all.push(figures);
    if (!values.json) print(figures);
  }
  const failed = all.reduce((sum, { failures }) => sum + failures.length, 0);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (values.json) console.log(JSON.stringify({ cases, seed, seconds, failed, formats: all }, null, 2));
  else
    console.log(
      `fuzz: ${names.length} formats, ${cases} cases each, seed ${seed}: ${failed} failed, ${seconds} s`,
    );
  return failed === 0;
}

function print({ format, cases, accepted, refused, slowestMs, mostMemoryMb, failures }: Figures): void {
  console.log(
    `${format}: ${cases} cases, ${refused} refused, ${accepted} accepted, ${failures.length} failed; slowest ${slowestMs} ms, memory ${mostMemoryMb} MB`,
  );
  for (const { case: at, kind, message } of failures.slice(0, mostPrinted))
    console.log(`  ${kind}, --format ${format} --seed ${at} --cases 1: ${message}`);
}

/** Case numbers are seeds: case i of seed s is case 0 of seed s + i. A process that ends is started again behind its case. */
async function fuzzFormat(format: string, seed: number, cases: number): Promise<Figures> {
  const figures: Figures = {
    format,
    cases,
    accepted: 0,
    refused: 0,
    slowestMs: 0,
    mostMemoryMb: 0,
    failures: [],
  };
  let done = 0;
  while (done < cases) {
    const ended = await runProcess(format, seed, done, cases - done, (report) => {
      if (!('ended' in report)) return;
      done = report.ended + 1;
      figures[report.outcome]++;
      figures.slowestMs = Math.max(figures.slowestMs, Math.round(report.ms));
      figures.mostMemoryMb = Math.max(
        figures.mostMemoryMb,
        Math.round((report.grown - 4 * report.bytes) / 2 ** 20),
      );
      if (report.failure) figures.failures.push({ case: seed + report.ended, ...report.failure });
    });
    if (done >= cases) break;
    // It died before its first case, and would again.
    if (ended.began === undefined) throw new Error(`the process of '${format}' did not begin: ${ended.said}`);
    figures.failures.push({ case: seed + ended.began, kind: ended.kind, message: ended.said });
    done = ended.began + 1;
  }
  return figures;
}

async function runProcess(
  format: string,
  seed: number,
  first: number,
  count: number,
  report: (report: CaseReport) => void,
): Promise<{ began: number | undefined; kind: string; said: string }> {
  const child = fork(
    join(import.meta.dirname, 'runCases.ts'),
    [format, String(seed), String(first), String(count)],
    {
      execArgv: ['--import', 'tsx', '--max-old-space-size=1024'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  );
  let began: number | undefined;
  let said = '';
  let hung = false;
  let before: ProcessState | undefined;
  const expire = () => {
    const now = processState(child.pid ?? 0);
    // Wanting to run and not getting to, which on a machine with much to do takes minutes, is no hang.
    const starved = now?.wantsToRun && (!before || now.seconds - before.seconds < longest);
    const first = now && !before;
    before ??= now;
    if (starved || first) {
      timer = setTimeout(expire, patience);
      return;
    }
    hung = true;
    child.kill('SIGKILL');
  };
  // Loading the readers and making what cases are made of takes longer than a case.
  let timer = setTimeout(expire, 20 * patience);
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-600)));
  child.on('message', (message: CaseReport) => {
    clearTimeout(timer);
    before = undefined;
    timer = setTimeout(expire, patience);
    if ('began' in message) began = message.began;
    report(message);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...how) => resolve(how)),
  );
  clearTimeout(timer);
  if (hung)
    return {
      began,
      kind: 'hang',
      said: `no word for ${(2 * patience) / 1000} s, in which it used ${longest} s of a processor or waited for something`,
    };
  return { began, kind: 'crash', said: `ended with ${signal ?? code}: ${said}` };
}
