/**
 * `npm run extension-cost [-- --json]`: how many files it takes to extend the product.
 *
 * Each patch in `patches/` adds one thing (an architecture that delegates to TopK, a kind of job, a metric on the lazy
 * page). It is applied to a copy of the working tree, whose types must hold; the files it touches, tests and the work itself apart, are counted against
 * the limit. Where the case says so, one of its files is then taken away and the types must fail, and tests are run that
 * go over everything of its kind. Exits 1 when a limit or an expectation is not met.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup.mjs';
import { cases } from './cases.mjs';

const asJson = process.argv.includes('--json');
const say = (line) => process.stderr.write(`${line}\n`);

/** Files that git knows or would take in, without what it ignores. */
function workingTree() {
  const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return stdout.split('\n').filter((file) => file !== '' && !file.startsWith('data/'));
}

function copyOfTheTree() {
  const copy = mkdtempSync(join(tmpdir(), 'lazyscope-extension-'));
  for (const file of workingTree()) cpSync(join(root, file), join(copy, file), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir');
  return copy;
}

function run(copy, command, ...args) {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules', '.bin', command), args, {
    cwd: copy,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    maxBuffer: 1 << 26,
  });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}

/** The build information stays in the copy, so that the working tree's own is left alone. */
const types = (copy) => run(copy, 'tsc', '-p', '.', '--tsBuildInfoFile', join(copy, 'tsbuildinfo'));

function measure({ name, patch, limit, work = [], without, tests }) {
  const copy = copyOfTheTree();
  try {
    const path = join(root, 'scripts', 'extensionCost', 'patches', patch);
    const applied = spawnSync('git', ['apply', '--whitespace=nowarn', path], { cwd: copy, encoding: 'utf8' });
    if (applied.status !== 0) return { name, ok: false, why: `the patch does not apply: ${applied.stderr}` };
    const touched = [...readFileSync(path, 'utf8').matchAll(/^diff --git a\/\S+ b\/(\S+)$/gm)];
    const files = touched
      .map(([, file]) => file)
      .filter((file) => !/\.test\.tsx?$/.test(file) && !work.includes(file));
    if (files.length > limit)
      return {
        name,
        ok: false,
        files,
        limit,
        why: `it touches ${files.length} files; the limit is ${limit}`,
      };
    const complete = types(copy);
    if (!complete.ok) return { name, ok: false, files, limit, why: `the types fail:\n${complete.output}` };
    if (tests) {
      const { ok, output } = run(copy, 'vitest', 'run', ...tests);
      if (!ok) return { name, ok: false, files, limit, why: `tests fail:\n${output.slice(-4000)}` };
    }
    if (without) {
      // A file that exports nothing: forgetting the contents must not go unnoticed either.
      const { file, line } = without;
      if (line === undefined) unlinkSync(join(copy, file));
      else {
        const text = readFileSync(join(copy, file), 'utf8');
        if (!text.includes(line))
          return { name, ok: false, files, limit, why: `'${line}' is not in ${file}` };
        writeFileSync(join(copy, file), text.replace(line, ''));
      }
      if (types(copy).ok)
        return { name, ok: false, files, limit, why: `the types hold although ${file} is incomplete` };
    }
    return { name, ok: true, files, limit, incompleteFails: without !== undefined };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const results = [];
for (const one of cases) {
  say(`${one.name} …`);
  const result = measure(one);
  results.push(result);
  say(
    result.ok
      ? `  ${result.files.length} of at most ${result.limit} files: ${result.files.join(', ')}`
      : `  FAILED: ${result.why}`,
  );
}
if (asJson) process.stdout.write(`${JSON.stringify({ cases: results }, null, 2)}\n`);
process.exit(results.every(({ ok }) => ok) ? 0 : 1);
