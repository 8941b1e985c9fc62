/**
 * One matching of two dictionaries, by the product's solvers and by SciPy's dense one: seconds, CPU seconds and peak memory of
 * a process each, and a check that all reach the same weight.
 *
 *     npx tsx scripts/peers/compareAssignments.ts --python ../peers/bin/python --latents 2048,8192,16384
 *
 * Directions are the decoders of `lazyscope bench compare --relation trained` (relatedDictionaries.ts), d = 768. The
 * section of --markdown is written anew after each size.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { relatedDictionaries } from '../../sae/comparison/relatedDictionaries.ts';
import { replaceSection } from './comparisonTable.ts';

const peers = dirname(fileURLToPath(import.meta.url));
const root = join(peers, '..', '..');
const d = 768;

interface Measured {
  seconds: number;
  cpuSeconds: number;
  peakRssMb: number;
  weight: number;
  /** Optimality gap that the sparse solver proved. */
  gap?: number;
  versions?: Record<string, string>;
}
type Row = Measured & { latents: number; solver: string };

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    latents: { type: 'string', default: '2048,4096,8192,16384' },
    threads: { type: 'string', default: String(availableParallelism()) },
    markdown: { type: 'string', default: join(peers, 'RESULTS.md') },
  },
});
const { python, threads } = values;
if (!python) throw new Error('--python has to name a Python with SciPy (requirements.txt)');

const rows: Row[] = [];
for (const latents of values.latents.split(',').map(Number)) {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-assignment-'));
  try {
    const { a, b } = relatedDictionaries('trained', { latents, d });
    const files = { a: join(folder, 'a'), b: join(folder, 'b') };
    await Promise.all([writeFile(files.a, a.wDec), writeFile(files.b, b.wDec)]);
    const problem = [
      '--a',
      files.a,
      '--b',
      files.b,
      '--latents',
      `${latents}`,
      '--d',
      `${d}`,
      '--threads',
      threads,
    ];
    const ours = (solver: string) =>
      measured(process.execPath, [
        '--import',
        'tsx',
        join(peers, 'solveAssignment.ts'),
        ...problem,
        '--solver',
        solver,
      ]);
    const sparse = await ours('sparse');
    const solved = [
      { solver: 'Lazyscope, candidates', ...sparse },
      { solver: 'Lazyscope, dense', ...(await ours('dense')) },
      {
        solver: 'SciPy, dense',
        ...(await measured(python, [join(peers, 'benchAssignment.py'), ...problem])),
      },
    ];
    const [, , scipy] = solved;
    for (const { solver, weight, gap = 0 } of solved) {
      const short = (scipy.weight - weight) / scipy.weight;
      if (short < -1e-6 || short > gap + 1e-6)
        throw new Error(`${solver} weighs ${weight} at ${latents} latents, SciPy's matching ${scipy.weight}`);
    }
    rows.push(...solved.map((row) => ({ latents, ...row })));
    const before = await readFile(values.markdown, 'utf8');
    await writeFile(values.markdown, replaceSection(before, 'assignment', section(rows)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
process.stdout.write(`${section(rows)}\n`);

async function measured(program: string, args: string[]): Promise<Measured> {
  process.stderr.write(`${[program, ...args].join(' ')}\n`);
  const { stdout } = await promisify(execFile)(program, args, { cwd: root, maxBuffer: 2 ** 24 });
  return JSON.parse(stdout);
}

function section(measurements: readonly Row[]): string {
  const lines = measurements.map(({ latents, solver, seconds, cpuSeconds, peakRssMb, gap }) => {
    const cells = [
      latents.toLocaleString('en'),
      solver,
      seconds.toFixed(1),
      cpuSeconds.toFixed(1),
      Math.round(peakRssMb).toLocaleString('en'),
      gap === undefined ? 'exact' : `${(100 * gap).toFixed(3)} %`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const versions = Object.entries(measurements.find((row) => row.versions)?.versions ?? {});
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  return [
    `### One matching of two dictionaries of d = ${d}, trained-like: the matrix or its candidates, and the assignment`,
    '',
    '| latents | solver | seconds | CPU s | peak RSS, MB | gap |',
    '| --: | --- | --: | --: | --: | --: |',
    ...lines,
    '',
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC · ${cpus()[0].model.trim()}, ${cpus().length} CPUs · ${threads} threads · load average ${loadavg()[0].toFixed(1)} · commit ${commit} · ${versions.map(([name, version]) => `${name} ${version}`).join(' · ')}. Every matching's weight is SciPy's, to its gap.`,
    '',
    '```sh',
    `npx tsx scripts/peers/compareAssignments.ts --python … --latents ${values.latents}`,
    '```',
    '',
  ].join('\n');
}
