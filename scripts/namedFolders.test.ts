/** Folders that people name by a flag or in the environment, which can't be made: each is one sentence, and no command hangs. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const script = join(import.meta.dirname, 'lazyscope.mjs');
const store = join(import.meta.dirname, '..', 'sae', 'store', 'fixtures', 'store-v1');
const address = '--data=http://127.0.0.1:9/';
const cantBeMade = /^lazyscope: The folder '\/proc\/lazyscope' can't be made \([^\n]*\): [^\n]*\.\n$/;

test.runIf(process.platform === 'linux').each([
  ['LAZYSCOPE_CACHE', cantBeMade, ['serve', address]],
  ['XDG_CACHE_HOME', cantBeMade, ['serve', address]],
  ['--cache', cantBeMade, ['serve', address, '--cache=/proc/lazyscope/x']],
  ['--data', cantBeMade, ['serve', '--data=/proc/lazyscope/x', '--port=0']],
  ['--out', cantBeMade, ['publish', 'topk', `--data=${store}`, '--out=/proc/lazyscope/x']],
  ['--to', cantBeMade, ['metrics', 'topk', `--data=${store}`, '--format=csv', '--to=/proc/lazyscope/x']],
  [
    'TMPDIR',
    /^lazyscope: There is no folder '\/proc\/lazyscope\/x'[^\n]*set TMPDIR[^\n]*\n$/,
    ['models', `--data=${store}`],
  ],
])('%s=/proc/lazyscope/x ends with one sentence', { timeout: 60_000 }, (name, said, args) => {
  const environment = name.startsWith('--') ? {} : { [name]: '/proc/lazyscope/x' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, LAZYSCOPE_CACHE: '', ...environment },
  });
  expect(stderr).toMatch(said);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});
