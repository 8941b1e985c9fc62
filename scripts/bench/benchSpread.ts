/**
 * How many tokens a second several processes train together, beside one process without --mpi; each has one thread:
 *
 *     npx tsx scripts/bench/benchSpread.ts --data data --capture demo [--processes 2] [--rounds 4] [--width 49152] [--k 32] [--batch-size 2048] [--steps 28] [--backend native] [--json]
 *
 * In every round both train the same steps with `lazyscope train`, the one that began the last round second. Rates are those of the second
 * half of the steps, when latents are dead and AuxK is at work; `whole` is the time of the whole command's training, in which the dictionary is also
 * handed out, gathered and written. Runs are written to a temporary folder, which is removed. As many cores as processes must be free.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../../sae/activations/rowNorms.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { readMetrics } from '../../sae/training/metrics.ts';
import { table } from '../commandLine/table.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string', default: 'data' },
    capture: { type: 'string', default: 'demo' },
    processes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '4' },
    width: { type: 'string', default: '49152' },
    k: { type: 'string', default: '32' },
    'batch-size': { type: 'string', default: '2048' },
    steps: { type: 'string', default: '28' },
    backend: { type: 'string', default: 'native' },
    json: { type: 'boolean', default: false },
  },
});
const logEvery = 2;
const [processes, rounds, steps] = [given.processes, given.rounds, given.steps].map(Number);
const root = await mkdtemp(join(tmpdir(), 'lazyscope-spread-'));
const store = new StoreLayout(root);

interface Rate {
  /** Tokens a second in the second half of the steps. */
  tokensPerSecond: number;
  /** Seconds of the whole training. */
  whole: number;
}

async function trainIn(count: number, name: string): Promise<Rate> {
  const command = [
    process.execPath,
    join(import.meta.dirname, '..', 'lazyscope.mjs'),
    'train',
    '--architecture=topk',
    '--threads=1',
    '--seeds=0',
    '--json',
    `--data=${root}`,
    `--name=${name}`,
    `--capture=${given.capture}`,
    `--backend=${given.backend}`,
    `--width=${given.width}`,
    `--k=${given.k}`,
    `--batch-size=${given['batch-size']}`,
    `--tokens=${Number(given['batch-size']) * steps}`,
    `--log-every=${logEvery}`,
  ];
  if (count > 1) command.unshift('mpirun', '--allow-run-as-root', '-n', String(count));
  if (count > 1) command.push('--mpi');
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  const status = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', done);
  });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${String(status)}:\n${said}`);
  const late = (await readMetrics(store.runMetrics(name))).filter(({ step }) => step > steps / 2);
  const seconds = late.reduce((sum, row) => sum + 1 / row.tokensPerSecond, 0);
  const { seconds: whole } = await readManifest(store.runManifest(name), runKind);
  return { tokensPerSecond: late.length / seconds, whole };
}

try {
  await mkdir(root, { recursive: true });
  await symlink(resolve(given.data, 'captures'), join(root, 'captures'));
  const measured: { one: Rate; several: Rate; ratio: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const rates: Rate[] = [];
    for (const count of round % 2 === 0 ? [1, processes] : [processes, 1])
      rates[count === 1 ? 0 : 1] = await trainIn(count, `round-${round}-${count}`);
    const [one, several] = rates;
    measured.push({ one, several, ratio: several.tokensPerSecond / one.tokensPerSecond });
    const [alone, together] = rates.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(0));
    process.stderr.write(`round ${round + 1} of ${rounds}: ${alone} and ${together} tokens a second\n`);
  }
  const ratios = measured.map(({ ratio }) => ratio);
  const summary = {
    processes,
    ratio: median(Float32Array.from(ratios)),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
  };
  if (given.json) process.stdout.write(`${JSON.stringify({ ...summary, rounds: measured }, null, 2)}\n`);
  else {
    const rows = measured.map(({ one, several, ratio }) => [
      one.tokensPerSecond.toFixed(0),
      several.tokensPerSecond.toFixed(0),
      ratio.toFixed(2),
      one.whole.toFixed(1),
      several.whole.toFixed(1),
    ]);
    const head = [
      'tokens/s, 1 process',
      `${processes} processes`,
      'ratio',
      'whole s, 1',
      `whole s, ${processes}`,
    ];
    process.stdout.write(`${table(head, rows)}\n`);
    process.stdout.write(
      `${processes} processes train ${summary.ratio.toFixed(2)} times the tokens of one (median; ${summary.least.toFixed(2)} to ${summary.most.toFixed(2)}).\n`,
    );
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
