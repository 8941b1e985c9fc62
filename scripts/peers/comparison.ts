/**
 * Lazyscope and PyTorch in turn on one machine, with the same number of threads, and the ratios.
 *
 *     node scripts/peers/compare.mjs --python ../peers/bin/python
 *     node scripts/peers/compare.mjs topk seeds --python ../peers/bin/python --rounds 5 --markdown scripts/peers/RESULTS.md
 *
 * The Python is one with requirements.txt beside this file installed. Subjects are topk, relu, jumprelu, seeds, gemm,
 * forward and lm-train; all of them when none is named. Every round measures both sides, in an order that alternates,
 * so that a machine that slows down slows both; a ratio is of one round. With --markdown each subject's section of the
 * file is written anew and the others are left, so that subjects can be measured one after another.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Runners, type Subject, subjects } from './comparisonSubjects.ts';
import { type Comparison, replaceSection, sectionOf, tableOf } from './comparisonTable.ts';

const peers = dirname(fileURLToPath(import.meta.url));
const root = join(peers, '..', '..');
const run = promisify(execFile);

const usage = `node scripts/peers/compare.mjs [${Object.keys(subjects).join('|')} …] --python FILE
  [--rounds 3] [--steps 3] [--threads N] [--model DIR] [--no-compiled] [--json] [--markdown FILE] [--note TEXT]`;

export async function main(argv: string[]): Promise<void> {
  const given = parse(argv);
  const comparisons: Comparison[] = [];
  for (const name of given.names) {
    let latest: Comparison | undefined;
    // Written after each round, so that what was measured is kept when the rest is cut short.
    for await (const comparison of measured(name, given)) {
      latest = comparison;
      if (!given.markdown) continue;
      const before = existsSync(given.markdown) ? await readFile(given.markdown, 'utf8') : '';
      await writeFile(given.markdown, replaceSection(before, name, sectionOf(comparison, given.note)));
    }
    if (!latest) continue;
    comparisons.push(latest);
    if (!given.json) process.stdout.write(`${tableOf(latest)}\n`);
  }
  if (given.json) process.stdout.write(`${JSON.stringify(comparisons, null, 2)}\n`);
}

interface Given {
  names: string[];
  python: string;
  rounds: number;
  steps: number;
  threads: number;
  model: string;
  json: boolean;
  compiled: boolean;
  markdown?: string;
  note?: string;
}

function parse(argv: string[]): Given {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        python: { type: 'string', default: process.env['LAZYSCOPE_PEERS_PYTHON'] },
        rounds: { type: 'string', default: '3' },
        steps: { type: 'string', default: '3' },
        threads: { type: 'string', default: String(availableParallelism()) },
        model: { type: 'string', default: join('data', 'models', 'lazyscope-demo-relu') },
        json: { type: 'boolean', default: false },
        'no-compiled': { type: 'boolean', default: false },
        markdown: { type: 'string' },
        note: { type: 'string' },
      },
    });
    const { python, json, model, markdown, note } = values;
    if (!python) throw new Error('--python (or LAZYSCOPE_PEERS_PYTHON) has to name a Python with the peers');
    const number = (name: 'rounds' | 'steps' | 'threads') => {
      const value = Number(values[name]);
      if (!Number.isSafeInteger(value) || value < 1)
        throw new Error(`--${name} ${values[name]} is not a whole number above 0`);
      return value;
    };
    const unknown = positionals.find((name) => !(name in subjects));
    if (unknown !== undefined) throw new Error(`there is no subject '${unknown}'`);
    return {
      names: positionals.length > 0 ? positionals : Object.keys(subjects),
      python, json, model, markdown, note,
      compiled: !values['no-compiled'],
      rounds: number('rounds'), steps: number('steps'), threads: number('threads'),
    }; // prettier-ignore
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    process.exit(2);
  }
}

/** Called after each round with everything measured so far. */
async function* measured(name: string, given: Given): AsyncGenerator<Comparison> {
  const { python, rounds, steps, threads, compiled, model } = given;
  const subject: Subject = subjects[name];
  const commands = new Set<string>();
  const versions: Record<string, string> = {};
  const runners: Runners = {
    steps,
    threads,
    compiled,
    model,
    vectors: widestVectors(),
    lazyscope: async (...args) => {
      const all = ['bench', ...args, '--backend', 'native', '--threads', String(threads), '--json'];
      commands.add(`npx lazyscope ${all.join(' ')}`);
      return json(process.execPath, [join(root, 'scripts', 'lazyscope.mjs'), ...all], {});
    },
    python: async (script, args, environment = {}) => {
      const all = [...args, '--threads', String(threads)];
      const set = Object.entries(environment).map(([key, value]) => `${key}=${value} `);
      commands.add(`${set.join('')}python scripts/peers/${script} ${all.join(' ')}`);
      const result = await json<{ versions?: Record<string, string> }>(
        python,
        [join(peers, script), ...all],
        environment,
      );
      Object.assign(versions, result.versions);
      return result as never;
    },
  };
  const done: Comparison['rounds'] = [];
  let load = 0;
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`${name}: round ${round + 1} of ${rounds}\n`);
    const sides = [
      async () => ({ ours: await subject.ours(runners) }),
      async () => ({ theirs: await subject.theirs(runners) }),
    ];
    if (round % 2 === 1) sides.reverse();
    const halves: object[] = [];
    for (const side of sides) halves.push(await side());
    load = Math.max(load, loadavg()[0]);
    done.push(Object.assign({}, ...halves));
    yield {
      subject: name,
      title: subject.title,
      unit: subject.unit,
      higherIsBetter: subject.higherIsBetter,
      rounds: [...done],
      versions,
      commands: [...commands],
      machine: `${cpus()[0].model.trim()} (${widestVectors()}), ${cpus().length} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB`,
      threads,
      load,
      date: new Date().toISOString().slice(0, 16).replace('T', ' '),
      commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
    };
  }
}

/** The widest vectors that /proc/cpuinfo names. */
function widestVectors(): string {
  if (!existsSync('/proc/cpuinfo')) return process.arch;
  const text = execFileSync('grep', ['-m1', '-E', '^(flags|Features)', '/proc/cpuinfo'], {
    encoding: 'utf8',
  });
  const widest = ['avx512_bf16', 'avx512f', 'avx2', 'asimd'].find((flag) => text.includes(flag));
  return widest ?? process.arch;
}

async function json<Result>(program: string, args: string[], extra: Record<string, string>): Promise<Result> {
  // Variables that a person has set for other programs must not decide which kernels a library runs here.
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, OPENBLAS_NUM_THREADS: _threads, ...inherited } =
    process.env; // prettier-ignore
  const env = { ...inherited, HF_HUB_OFFLINE: '1', ...extra };
  const { stdout } = await run(program, args, { cwd: root, env, maxBuffer: 2 ** 26 }).catch(
    (error: { signal?: string; code?: number; stderr?: string }) => {
      const set = Object.entries(extra).map(([key, value]) => `${key}=${value} `);
      throw new Error(
        `${set.join('')}${[program, ...args].join(' ')} ended with ${error.signal ?? error.code}:\n${error.stderr}`,
        { cause: error },
      );
    },
  );
  // Some Python packages print greetings on standard output.
  return JSON.parse(stdout.slice(stdout.indexOf('{')));
}
