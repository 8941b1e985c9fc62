/**
 * Writes the table of docs/FORMATS.md: runs the test that imports every package's dictionaries and exports them again,
 * and has the packages themselves load those exports.
 *
 *     npm run formats-table -- PYTHON      PYTHON has the packages that packageFixtures.py names
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const python = process.argv[2];
if (python === undefined) throw new Error('name a Python that has the packages');
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-formats-'));
const run = (command, args, options) => {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'inherit'],
    ...options,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} fails: there is nothing to write`);
  return stdout;
};
const rowsOf = (text) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

try {
  run('npx', ['vitest', 'run', 'sae/formats/packages.test.ts'], {
    env: { ...process.env, LAZYSCOPE_KEPT_EXPORTS: folder },
  });
  const imports = rowsOf(readFileSync(join(folder, 'imports.jsonl'), 'utf8'));
  const exports = rowsOf(run(python, ['scripts/peers/packageFixtures.py', 'check', folder]));
  const file = join(root, 'docs', 'FORMATS.md');
  const text = readFileSync(file, 'utf8');
  const [before, rest] = text.split('<!-- table -->\n');
  const after = rest.slice(rest.indexOf('<!-- end of table -->'));
  writeFileSync(file, `${before}<!-- table -->\n\n${table(imports, exports)}\n\n${after}`);
  run('npx', ['prettier', '--write', file]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function table(imports, exports) {
  const figure = (value) => (value === 0 ? '0' : value.toExponential(1));
  const lines = imports
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ name, kind, architecture, version, encode, reconstruct }) => {
      const own = exports.filter((each) => each.name === name);
      const worst = (key) => figure(Math.max(...own.map((each) => each[key])));
      const formats = own.map((each) => each.format).join(', ');
      return `| \`${name}\` | ${kind} | ${version} | ${architecture} | ${figure(encode)} | ${figure(reconstruct)} | ${formats} | ${worst('encode')} | ${worst('reconstruct')} |`;
    });
  return [
    '| File | Class | Version | Read as | Import: activations | reconstruction | Exported as | Export: activations | reconstruction |',
    '| --- | --- | --- | --- | --: | --: | --- | --: | --: |',
    ...lines,
  ].join('\n');
}
