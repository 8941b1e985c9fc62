/** Ctrl-C in the middle of long commands: how soon they end, and what they leave in the store. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runKind } from '../sae/spec/manifests/run.ts';
import { readManifest } from '../sae/store/readManifest.ts';
import { StoreLayout } from '../sae/store/layout.ts';

const script = join(import.meta.dirname, 'lazyscope.mjs');
const model = join(import.meta.dirname, '..', 'data', 'models', 'lazyscope-demo-relu');
const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-stopping-')));

const done = (...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [script, ...args, '--data', store.root], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
};

beforeAll(() => {
  const hook = 'blocks.2.hook_resid_post';
  done('capture', '--model', model, '--text', 'dataset:moby-dick', '--hook', hook, '--name', 'text', '--max-tokens', '60000', '--held-out', '0.5'); // prettier-ignore
  done('train', '--capture', 'text', '--architecture', 'topk', '--k', '16', '--width', '12288', '--seeds', '0,1', '--tokens', '2048', '--batch-size', '1024', '--name', 'wide'); // prettier-ignore
  done('train', '--capture', 'text', '--architecture', 'topk', '--k', '16', '--width', '1024', '--seeds', '0,1', '--tokens', '2048', '--batch-size', '1024', '--name', 'narrow'); // prettier-ignore
  done('compare', 'narrow');
}, 300_000);
afterAll(() => rm(store.root, { recursive: true, force: true }));

/** Ends the command by Ctrl-C, which may arrive several times, or kills it, as soon as it reports a stage like this one. */
async function stoppedAt(
  stage: RegExp,
  args: readonly string[],
  times = 1,
  by: 'SIGINT' | 'SIGKILL' = 'SIGINT',
) {
  const child = spawn(process.execPath, [script, ...args, '--data', store.root], {
    env: { ...process.env, LAZYSCOPE_PROGRESS: 'json' },
  });
  let said = '';
  let asked = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (asked > 0 || ![...said.matchAll(/"stage":"([^"]*)"/g)].some(([, name]) => stage.test(name))) return;
    asked = performance.now();
    for (let time = 0; time < times; time++) child.kill(by);
  });
  // What the process does after it was asked to stop, whatever else the machine does meanwhile.
  let [from, until]: (number | null)[] = [null, null];
  const watch = setInterval(() => {
    const used = processorSeconds(child.pid);
    if (asked === 0 || used === null) return;
    from ??= used;
    until = used;
  }, 20);
  const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(watch);
  expect(asked, said).toBeGreaterThan(0);
  const worked = (until ?? 0) - (from ?? 0);
  return { status, seconds: (performance.now() - asked) / 1000, worked, said };
}

/** Processor time of a process so far; null where the system doesn't say, and once the process is gone. */
function processorSeconds(pid: number | undefined): number | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; user and system time follow it, in hundredths.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

const files = async () => (await readdir(store.root, { recursive: true })).sort();

test.each([
  ['evaluate', /^evaluate$/, ['evaluate', 'wide']],
  ['evaluate, in the loss pass', /^evaluate loss$/, ['evaluate', 'wide', '--max-tokens', '1000', '--loss-tokens', '30000']],
  ['probe', /^probe first letters$/, ['probe', 'wide']],
  ['index', /^index: encode/, ['index', 'wide']],
  ['index, later', /^index: neighbours/, ['index', 'wide']],
  ['compare', /candidates|matching|prices/, ['compare', 'wide']],
  ['map', /^map: layout/, ['map', 'narrow-0-1']],
  ['reproducibility', /^covariance/, ['reproducibility', 'narrow']],
  ['label', /^label: encode/, ['label', 'wide', '--seed', '0']],
  ['sparsity', /^sparsity/, ['sparsity', '--model', model, '--text', 'dataset:moby-dick', '--name', 'lazy']],
] as const)('%s ends within seconds, and nothing half written is left', async (_, stage, args) => {
  const before = await files();
  const { status, seconds, worked, said } = await stoppedAt(stage, args);
  expect(status, said).toBe(130);
  expect(said).toMatch(/Stopped while /);
  expect(worked).toBeLessThan(1);
  // The same where nothing else takes the machine.
  expect(seconds).toBeLessThan(6);
  // The folder of all reports is made with the first one.
  const finished = /examples|loadings|comparisons|^sparsity$/;
  expect((await files()).filter((name) => !finished.test(name))).toEqual(
    before.filter((name) => !finished.test(name)),
  );
  expect((await files()).filter((name) => /\.(tmp|lock)|~|partial/.test(name))).toEqual([]);
}, 120_000); // prettier-ignore

test.each([
  ['train', /^train/, ['train', '--capture', 'text', '--architecture', 'relu', '--width', '512', '--tokens', '50000000', '--name', 'kept']],
  ['lm train', /^train language model/, ['lm', 'train', '--text', 'dataset:moby-dick', '--name', 'kept', '--vocabulary', '512', '--d', '64', '--heads', '4', '--layers', '2', '--neurons', '128', '--steps', '1000']],
] as const)('%s writes its checkpoint and ends as soon', async (_, stage, args) => {
  const { status, seconds, worked, said } = await stoppedAt(stage, args);
  expect(status, said).toBe(130);
  expect(worked).toBeLessThan(1);
  expect(seconds).toBeLessThan(6);
  expect((await files()).filter((name) => /kept.*(checkpoint)/.test(name))).not.toEqual([]);
}, 120_000); // prettier-ignore

test('one Ctrl-C that arrives twice is one, and a training keeps its checkpoint', async () => {
  const args = ['train', '--capture', 'text', '--architecture', 'relu', '--width', '512', '--tokens', '50000000', '--name', 'twice']; // prettier-ignore
  const { status, said } = await stoppedAt(/^train/, args, 2);
  expect(status, said).toBe(130);
  const manifest = await readManifest(store.runManifest('twice'), runKind);
  expect(manifest.status).toBe('interrupted');
  expect(existsSync(store.runCheckpoints('twice'))).toBe(true);
}, 120_000);

test('a consensus that is killed before its first checkpoint goes on with what it began with when it is asked for again', async () => {
  const args = ['consensus', 'narrow', '--tokens', '400000', '--name', 'agreed'];
  await stoppedAt(/^train/, args, 1, 'SIGKILL');
  const begun = await readManifest(store.runManifest('agreed'), runKind);
  expect(begun.status).toBe('training');
  expect(begun.consensus?.dictionaries.map(({ parents }) => parents)).toEqual([[0, 1]]);
  expect(await readdir(store.runCheckpoints('agreed'))).toEqual(['step-0.safetensors']);
  done(...args);
  const finished = await readManifest(store.runManifest('agreed'), runKind);
  expect(finished).toMatchObject({
    status: 'complete',
    createdAt: begun.createdAt,
    consensus: begun.consensus,
  });
  // Once more there is nothing left to train, and other settings are another run.
  done(...args);
  expect(await readManifest(store.runManifest('agreed'), runKind)).toEqual(finished);
  const other = spawnSync(process.execPath, [script, ...args, '--threshold', '0.6', '--data', store.root], {
    encoding: 'utf8',
  });
  expect(other.status).toBe(2);
  expect(other.stderr).toMatch(/Run 'agreed' exists: choose another name/);
}, 300_000);

test('what was evaluated before stays when the next evaluation is stopped', async () => {
  done('evaluate', 'wide', '--seeds', '0', '--max-tokens', '2000', '--loss-tokens', '256');
  const earlier = await readFile(store.evaluation('wide', 0), 'utf8');
  const { status } = await stoppedAt(/^evaluate$/, ['evaluate', 'wide']);
  expect(status).toBe(130);
  expect(await readFile(store.evaluation('wide', 0), 'utf8')).toBe(earlier);
}, 120_000);
