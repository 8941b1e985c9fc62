/**
 * `npm run test:tensorflow`: installs the tensorflow backend from a CPU wheel as a user does, runs the tests that need it, and removes it. What the user has installed
 * is left alone: the installation has a cache of its own.
 *
 * pip fetches the wheel once into the user's cache; `LAZYSCOPE_TENSORFLOW_WHEEL` names another. Where there is neither a compiler nor a wheel, everything is skipped, aloud.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const userCache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lazyscope');
const wheels = join(userCache, 'wheels');
const cache = join(userCache, 'test-tensorflow');
const tests = ['sae/backends/conformance.test.ts', 'sae/backends/tensorflow'];

function skip(why) {
  process.stdout.write(
    `test:tensorflow: SKIPPED, because ${why}.\n0 passed, 0 failed, ${tests.length} skipped\n`,
  );
  process.exit(0);
}

/** The cached wheel, or one that pip fetches. */
function findWheel() {
  const named = process.env.LAZYSCOPE_TENSORFLOW_WHEEL;
  if (named) return named;
  const cached = () =>
    existsSync(wheels) && readdirSync(wheels).find((name) => /^tensorflow_cpu-.*\.whl$/.test(name));
  if (!cached()) {
    mkdirSync(wheels, { recursive: true });
    const pip = spawnSync(
      'python3',
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--only-binary=:all:',
        '--dest',
        wheels,
        'tensorflow-cpu',
      ],
      { stdio: ['ignore', 2, 2], timeout: 600_000 },
    );
    if (pip.error || pip.status !== 0) skip("pip can't fetch a wheel of tensorflow-cpu here");
  }
  return join(wheels, cached());
}

function run(name, args) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s\n`);
  return status === 0;
}

if (!['linux', 'darwin'].includes(process.platform)) skip('the backend is for Linux and macOS');
if (spawnSync(process.env.CXX || 'c++', ['--version']).status !== 0) skip('there is no C++ compiler');
const wheel = findWheel();

// What native has compiled is the user's; it need not be compiled again.
mkdirSync(join(cache, 'lazyscope'), { recursive: true });
mkdirSync(join(userCache, 'native'), { recursive: true });
const native = join(cache, 'lazyscope', 'native');
if (!existsSync(native)) symlinkSync(join(userCache, 'native'), native);

const command = [join('scripts', 'lazyscope.mjs'), 'tensorflow'];
let ok = run('tensorflow install', [...command, 'install', '--wheel', wheel]);
try {
  ok &&= run('tensorflow status', [...command, 'status', '--json']);
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  ok &&= run('vitest', [vitest, 'run', ...tests, '-t', 'tensorflow|TensorFlow']);
} finally {
  ok = run('tensorflow uninstall', [...command, 'uninstall']) && ok;
  rmSync(cache, { recursive: true, force: true });
}
process.exit(ok ? 0 : 1);
