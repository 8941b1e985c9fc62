/**
 * Installs the dependencies when they are missing or older than the lock file, so that `npm run demo` and
 * `npm test` work in a fresh clone. Plain JavaScript on Node's own modules: nothing is installed yet.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.cache', 'lazyscope', 'installed');

/** Exits the process with one line when Node is too old or the installation fails. */
export function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);

  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const wanted = `${lock} ${process.platform}-${process.arch}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;

  process.stderr.write('Installing dependencies (once) …\n');
  // A fresh clone gets what the lock file says, to the byte. An installation that is only out of date is updated in
  // place, because `npm ci` deletes it first, and a machine without network would be left with nothing.
  const command = existsSync(join(root, 'node_modules')) ? ['install', '--no-save'] : ['ci'];
  // npm's own output goes to standard error: standard output belongs to the command that follows.
  const npm = spawnSync('npm', [...command, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
    // `npm run` exports its own settings (silent among them) to children; the installation speaks for itself.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^npm_config_(loglevel|json)$/i.test(name)),
    ),
  });
  if (npm.status !== 0) fail('The dependencies could not be installed: npm failed, see its message above.');
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function fail(message) {
  process.stderr.write(`lazyscope: ${message}\n`);
  process.exit(1);
}
