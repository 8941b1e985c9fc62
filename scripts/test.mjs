/**
 * `npm test`: set up what is missing, then lint (import arrows included), types and tests. Everything runs
 * even when an earlier part failed, and the last line counts: `N passed, N failed, N skipped`.
 *
 * `npm test -- PATH` runs the tests under PATH only.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const bin = (name) => join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name);
const run = (name, ...args) => {
  const start = performance.now();
  const { status } = spawnSync(bin(name), args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.stdout.write(
    `${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${((performance.now() - start) / 1000).toFixed(1)} s\n`,
  );
  return status === 0;
};

const only = process.argv.slice(2);
const counts = { passed: 0, failed: 0, skipped: 0 };
const count = (ok) => counts[ok ? 'passed' : 'failed']++;

if (only.length === 0) {
  count(run('prettier', '--check', '--log-level', 'warn', '.'));
  count(run('oxlint'));
  count(
    run(
      'depcruise',
      'sae',
      'server',
      'web',
      'scripts',
      '--config',
      '.dependency-cruiser.cjs',
      '--output-type',
      'err',
    ),
  );
  count(run('tsc'));
}

const report = join(root, 'node_modules', '.cache', 'lazyscope', 'vitest.json');
rmSync(report, { force: true });
const vitestPassed = run(
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...only,
);
if (existsSync(report)) {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const tests = result.testResults.flatMap((file) => file.assertionResults);
  const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
  counts.passed += result.numPassedTests;
  counts.failed += result.numFailedTests;
  counts.skipped += skipped.length;
  for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
}
// A file that failed to load has no failed test to count, yet the run has failed.
if (!vitestPassed && counts.failed === 0) counts.failed = 1;

process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);
