/**
 * `npm test`: set up what is missing, then format, lint (import arrows included), types and tests. Everything runs even
 * when an earlier part failed, and the last line counts: `N passed, N failed, N skipped`.
 *
 * `npm test -- PATH` runs the tests under PATH only. `npm run test:fast` lints, checks the types and runs the tests that
 * scripts/testTiers/slowTests.ts does not name, all at once, for a first answer within a minute. `npm run test:apart` runs
 * the slow tests that `npm test` leaves to it.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const counts = { passed: 0, failed: 0, skipped: 0 };
const bin = (name) => join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name);

/** Whether the program succeeds. With `held` what it writes is shown at its end, unmixed with what runs beside it. */
async function run(name, args, { held = false } = {}) {
  const start = performance.now();
  const child = spawn(bin(name), args, {
    cwd: root,
    stdio: ['inherit', held ? 'pipe' : 'inherit', held ? 'pipe' : 'inherit'],
    shell: process.platform === 'win32',
  });
  const written = [];
  child.stdout?.on('data', (chunk) => written.push(chunk));
  child.stderr?.on('data', (chunk) => written.push(chunk));
  const ok = await new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (status) => resolve(status === 0));
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${Buffer.concat(written)}${name}: ${ok ? 'passed' : 'FAILED'} in ${seconds} s\n`);
  return ok;
}

async function check(name, args, options) {
  counts[(await run(name, args, options)) ? 'passed' : 'failed']++;
}

async function vitest(args) {
  const report = join(root, 'node_modules', '.cache', 'lazyscope', 'vitest.json');
  rmSync(report, { force: true });
  const ok = await run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=./scripts/testTiers/processorTimeReporter.ts',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args,
  ]);
  let failed = 0;
  if (existsSync(report)) {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    const tests = result.testResults.flatMap((file) => file.assertionResults);
    const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
    failed = result.numFailedTests;
    counts.passed += result.numPassedTests;
    counts.failed += failed;
    counts.skipped += skipped.length;
    for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
  }
  // A file that failed to load, or that is too slow for its tier, has no failed test to count, yet the run has failed.
  if (!ok && failed === 0) counts.failed++;
}

const given = process.argv.slice(2);
if (given[0] === '--fast') {
  process.env.LAZYSCOPE_FAST_TIER = '1';
  const checks = async () => {
    await check('oxlint', [], { held: true });
    await check('tsc', [], { held: true });
  };
  await Promise.all([checks(), vitest(['--project', 'fast', ...given.slice(1)])]);
} else if (given[0] === '--apart') {
  process.env.LAZYSCOPE_TESTS = 'apart';
  await vitest(['--project', 'slow', ...given.slice(1)]);
} else {
  if (given.length === 0) {
    process.env.LAZYSCOPE_TESTS = 'usual';
    const arrows = async () => {
      const folders = ['sae', 'server', 'web', 'scripts'];
      await check('oxlint', [], { held: true });
      const config = ['--config', '.dependency-cruiser.cjs', '--output-type', 'err'];
      await check('depcruise', [...folders, ...config], { held: true });
    };
    const types = async () => {
      await check('tsc', [], { held: true });
      await check('prettier', ['--check', '--log-level', 'warn', '.'], { held: true });
    };
    await Promise.all([arrows(), types()]);
  }
  await vitest(given);
}

process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);
