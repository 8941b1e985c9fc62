/**
 * Checks and times the backends on the GPU at hand: `npm run gpu:check -- --out results.json`, or `./check` in the
 * folder that `npm run gpu:pack` makes, which needs nothing installed. See docs/GPU.md.
 *
 * Ends with status 1 if a step was wrong, failed or came too late; where no time was left for a step it says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { backendNames, type BackendName } from '../../sae/backends/backend.ts';
import { checkSteps } from './checkSteps.ts';
import { isRight, resultsTable, type CheckMachine } from './resultsTable.ts';
import { runSteps, type StepResult } from './runSteps.ts';

const help = `gpu:check [options]
  --backend NAME   one to check; may be repeated (default: cuda, webgpu and native)
  --out FILE       where the results are written after every step (default: gpu-check.json)
  --seconds N      for all of it (default: 360)
  --size SIZE      small (for a driver that computes on the processor), usual, large (default: usual)
  --python PATH    Python with PyTorch, for the peers; "none" leaves them out (default: python3)
  --only PATTERN   only steps whose name matches this regular expression
  --list           say what would be run
`;

const { values } = parseArgs({
  options: {
    backend: { type: 'string', multiple: true, default: ['cuda', 'webgpu', 'native'] },
    out: { type: 'string', default: 'gpu-check.json' },
    seconds: { type: 'string', default: '360' },
    size: { type: 'string', default: 'usual' },
    python: { type: 'string', default: 'python3' },
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}

const budget = Number(values.seconds);
if (!(budget > 0)) fail(`--seconds ${values.seconds}: give a number of seconds above 0.`);
const size = (['small', 'usual', 'large'] as const).find((name) => name === values.size);
if (!size) fail(`--size ${values.size}: choose small, usual or large.`);
const backends = values.backend.map(
  (name): BackendName =>
    backendNames.find((known) => known === name) ??
    fail(`--backend ${name}: choose among ${backendNames.join(', ')}.`),
);
const only = new RegExp(values.only);
const steps = checkSteps({ backends, size, python: values.python === 'none' ? null : values.python }).filter(
  ({ name }) => only.test(name),
);
if (steps.length === 0) fail(`--only ${values.only}: no step has such a name; see them with --list.`);
if (values.list) {
  for (const { name, program, args } of steps)
    process.stdout.write(`${name}: ${program} ${args.join(' ')}\n`);
  process.exit(0);
}

const machine = describeMachine();
const out = resolve(values.out);
mkdirSync(dirname(out), { recursive: true });
const results = await runSteps(steps, { budget, save, say: (line) => process.stderr.write(`${line}\n`) });
process.stdout.write(resultsTable(machine, results));
process.exitCode = results.every(isGood) ? 0 : 1;

/** A killed check leaves a whole file. */
function save(results: readonly StepResult[]): void {
  writeFileSync(`${out}.part`, `${JSON.stringify({ ...machine, size, results }, null, 1)}\n`);
  renameSync(`${out}.part`, out);
}

function isGood({ outcome, document }: StepResult): boolean {
  if (outcome === 'skipped') return true;
  if (outcome !== 'done') return false;
  const known = document as Readonly<Record<string, unknown>> | null;
  if (known && 'early' in known) return isRight(known);
  return !known?.['failed'];
}

function describeMachine(): CheckMachine {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const gpu = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'processor'}, kernel ${release()}`,
    driver: gpu.status === 0 ? gpu.stdout.trim() : 'no NVIDIA driver',
    node: process.versions.node,
  };
}

function fail(message: string): never {
  process.stderr.write(`gpu:check: ${message}\n`);
  process.exit(2);
}
