/** Writes docs/MODELS.md: runs the tests of sae/models/families and puts what they measured into a table. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-models-table-'));
const path = join(folder, 'measured.json');
try {
  const { status } = spawnSync('npx', ['vitest', 'run', 'sae/models/families/families.test.ts'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LAZYSCOPE_FAMILY_MEASUREMENTS: path },
  });
  if (status !== 0) throw new Error('the tests of the families fail: there is nothing to write');
  const { backend, architectures, cases } = JSON.parse(readFileSync(path, 'utf8'));
  const file = join(root, 'docs', 'MODELS.md');
  const text = readFileSync(file, 'utf8');
  const [before, rest] = text.split('<!-- table -->\n');
  const after = rest.slice(rest.indexOf('<!-- end of table -->'));
  writeFileSync(
    file,
    `${before}<!-- table -->\n\n${table(architectures, cases)}\n\nBackend: ${backend}.\n\n${after}`,
  );
  spawnSync('npx', ['prettier', '--write', file], { cwd: root, stdio: 'inherit' });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function table(architectures, cases) {
  const rows = Object.entries(architectures).map(([family, { architecture, models }]) => {
    const own = cases
      .filter(([name]) => name === family || name.startsWith(`${family}.`))
      .map(([, figures]) => figures);
    const largest = (key) => Math.max(...own.map((figures) => figures[key])).toExponential(1);
    const greedy = own.reduce((sum, figures) => sum + (figures.greedy ?? 0), 0);
    return `| \`${architecture}\` | ${models} | ${own.length} | ${largest('logits')} | ${largest('hooks')} | ${greedy === 0 ? '–' : `${greedy} of ${greedy}`} |`;
  });
  return [
    '| Architecture | Models | Configurations | Logits | Hook points | Greedy tokens |',
    '| --- | --- | --: | --: | --: | --: |',
    ...rows,
  ].join('\n');
}
