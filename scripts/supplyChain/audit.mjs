/**
 * `npm run test:audit`: known vulnerabilities of what is installed with the package, by `npm audit`. Fails on one of a high or
 * critical kind; says so where the registry can't be asked, which is no failure.
 */
import { spawnSync } from 'node:child_process';
import { root } from '../setup.mjs';

const { stdout, stderr } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0'], {
  cwd: root,
  encoding: 'utf8',
  timeout: 60_000,
  shell: process.platform === 'win32',
});
const report = parsed(stdout);
if (report?.metadata?.vulnerabilities) {
  const found = Object.values(report.vulnerabilities);
  const grave = found.filter(({ severity }) => severity === 'high' || severity === 'critical');
  for (const { name, severity, range } of found) process.stdout.write(`${severity}: ${name} ${range}\n`);
  const { total } = report.metadata.dependencies;
  process.stdout.write(
    `audit: ${total} packages, ${found.length} with known vulnerabilities, ${grave.length} of them high or critical\n`,
  );
  process.exitCode = grave.length === 0 ? 0 : 1;
} else {
  const why = report?.message ?? stderr.trim().split('\n').at(-1) ?? 'no answer';
  process.stdout.write(
    `audit: NOT DONE, the registry can't be asked (${why.replace(/https?:\S+/, 'its address')}).\n`,
  );
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
