/** The command line as a person meets it: real processes, their exit status and what they print. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { StoreLayout } from '../sae/store/layout.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';

const script = join(import.meta.dirname, 'lazyscope.mjs');
let store: StoreLayout;
// A process a test, on machines that may be busy with other tests.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

beforeAll(async () => {
  store = await writeFixtureStore(await mkdtemp(join(tmpdir(), 'lazyscope-cli-')));
});
afterAll(async () => {
  await rm(store.root, { recursive: true, force: true });
});

/** `lazyscope …args` on the fixture store. */
const lazyscope = (...args: string[]) => lazyscopeWith({}, ...args);
function lazyscopeWith(environment: Record<string, string>, ...args: string[]) {
  const own = args.some((arg) => arg === '--help' || arg.startsWith('--data='));
  const common = own ? [] : ['--data', store.root];
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args, ...common], {
    encoding: 'utf8',
    timeout: 170_000,
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

const fixtureModel = () => store.model('fixture-relu');
const train = (name: string, ...more: string[]) => [
  'train',
  '--architecture=topk',
  '--capture=fixture',
  `--name=${name}`,
  '--width=64',
  '--k=4',
  '--batch-size=256',
  ...more,
];

describe('help', () => {
  test('names every command', () => {
    const { status, stdout } = lazyscope('--help');
    expect(status).toBe(0);
    const names =
      'demo capture train evaluate index compare map sparsity lm import convert export serve jobs bench doctor';
    for (const name of names.split(' ')) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  });

  test('loads no tensor library, no schema and no database', () => {
    // The time itself depends on the machine, so the modules that were loaded are looked at: they are what takes time.
    const loaded = spawnSync(process.execPath, [script, '--help'], {
      encoding: 'utf8',
      env: { ...process.env, NODE_DEBUG: 'esm' },
    });
    expect(loaded.stderr).toContain('scripts/cli.ts');
    for (const heavy of ['@tensorflow', '@duckdb', 'node_modules/zod', 'apache-arrow', 'node_modules/next/'])
      expect(loaded.stderr).not.toContain(heavy);
  });
});

/** One line on standard error, nothing on standard output, exit status 2. */
function refused(said: RegExp, ...args: string[]) {
  const { status, stdout, stderr } = lazyscope(...args);
  expect(stderr).toMatch(said);
  // Progress is printed every few seconds, on a busy machine perhaps before the refusal.
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !/: \d+ %, /.test(line));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^lazyscope: /);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
}

describe('bad input is one line that names the argument, and exit status 2', () => {
  test('a command that does not exist', () => refused(/Unknown command 'trian'.*train/, 'trian'));
  test('an option that does not exist', () => refused(/--lattents.*--help/, ...train('x', '--lattents=3')));
  test('a required option left out', () => refused(/--hook/, 'capture', '--model=fixture-relu'));
  test('an option left out that goes with another', () =>
    refused(/--text/, 'capture', '--model=fixture-relu', '--hook=blocks.0.hook_resid_post'));
  test('a number that is none', () =>
    refused(/--width <latents>.*'many'.*whole number/, 'train', '--width=many'));
  test('a backend that does not exist', () =>
    refused(/--backend abacus: choose one of auto, native/, 'doctor', '--backend=abacus'));
  test('a storage that the backend does not have', () =>
    refused(
      /Storage f16 is the webgpu backend's, not cpu's/,
      'bench', 'train', '--backend=cpu', '--storage=f16',
    )); // prettier-ignore
  test('a model that is not there', () =>
    refused(
      /no model 'nowhere'.*config\.json/,
      'capture',
      '--model=nowhere',
      '--text=dataset:moby-dick',
      '--hook=hook_embed',
    ));
  test('a text that is not there', () =>
    refused(
      /'none\.txt' can't be read/,
      'capture',
      '--model=fixture-relu',
      '--text=none.txt',
      '--hook=hook_embed',
    ));
  test('a hook point that is none', () =>
    refused(
      /Unknown hook point 'blocks\.0\.resid'/,
      'capture',
      '--model=fixture-relu',
      '--text=dataset:moby-dick',
      '--hook=blocks.0.resid',
      '--name=none',
    ));
  test('a layer the model does not have', () =>
    refused(
      /layer 9.*layers 0 to 1/,
      'capture',
      '--model=fixture-relu',
      '--text=dataset:moby-dick',
      '--hook=blocks.9.hook_resid_post',
      '--name=none',
    ));
  test('a capture that is not there', () =>
    refused(/nowhere/, 'train', '--architecture=relu', '--capture=nowhere'));
  test('an architecture that does not exist', () =>
    refused(
      /--architecture <name>.*'gelu'.*relu, topk, jumprelu/,
      'train',
      '--architecture=gelu',
      '--capture=fixture',
    ));
  test('a sparsity setting of another architecture', () =>
    refused(/k|targetL0/, 'train', '--architecture=relu', '--capture=fixture', '--k=4', '--name=none'));
  test('a sweep that is wrong inside', async () => {
    const path = join(store.root, 'sweep.yaml');
    await writeFile(path, 'capture: fixture\ntokens: many\narchitectures: [topk]\nhooks: [x]\n');
    refused(/'tokens'/, 'train', path);
  });
  test('a run that is not there', () => refused(/no run 'nothing'/, 'evaluate', 'nothing'));
  test('a seed the run does not have', () =>
    refused(/no seed 7.*0, 1, 2/, 'index', 'fixture-topk', '--seeds=7'));
  test('a dictionary named in another way', () =>
    refused(/RUN\/SEED/, 'compare', 'fixture-topk/first', 'fixture-relu'));
  test('less memory than a comparison takes', () => {
    const pair = ['compare', 'fixture-topk/0', 'fixture-relu/0'];
    refused(/--memory \d+MB/, ...pair, '--memory=1MB');
    refused(/800MB or 2GB/, ...pair, '--memory=much');
  });
  test('a run name that is taken', () =>
    refused(/Run 'fixture-topk' exists/, ...train('fixture-topk', '--tokens=1000')));
  test('a name that leads out of the store', () =>
    refused(/can't name a run/, ...train('../out', '--tokens=1000')));

  test('a truncated model', async () => {
    const broken = join(store.root, 'broken');
    await cp(fixtureModel(), broken, { recursive: true });
    const weights = join(broken, 'model.safetensors');
    await writeFile(weights, (await readFile(weights)).subarray(0, 50_000));
    refused(
      /model\.safetensors' is not a whole safetensors file/,
      'lm',
      'generate',
      `--model=${broken}`,
      '--prompt=x',
    );
  });

  test('a truncated shard is named, and the run that met it leaves nothing', async () => {
    const shard = join(store.captureHook('fixture', 'blocks.0.hook_resid_post'), '00000.arrow');
    const whole = await readFile(shard);
    await writeFile(shard, whole.subarray(0, 1_000));
    refused(/00000\.arrow/, ...train('halved', '--tokens=1000'));
    await writeFile(shard, whole);
    expect(existsSync(store.run('halved'))).toBe(false);
  });

  test('a data folder that is a file', async () => {
    const path = join(store.root, 'in-the-way');
    await writeFile(path, 'kept');
    const common = ['--text=dataset:moby-dick', '--max-tokens=2000', `--data=${path}`];
    const model = `--model=${fixtureModel()}`;
    refused(/in-the-way.*in its way/, 'capture', model, '--hook=hook_embed', ...common);
    refused(/in-the-way.*in its way/, 'serve', '--port=0', `--data=${path}`);
    expect(await readFile(path, 'utf8')).toBe('kept');
  });
  test('one dictionary where a run is needed', () =>
    refused(/'fixture-topk\/0' is one dictionary.*name a second/, 'compare', 'fixture-topk/0'));
  test('a mistyped command of the jobs', () => refused(/Unknown command 'lst'/, 'jobs', 'lst'));

  test('nothing of all that was left in the store', async () => {
    expect((await readdir(store.captures())).sort()).toEqual(['fixture']);
    expect((await readdir(store.runs())).sort()).toEqual(['fixture-relu', 'fixture-topk']);
  });
});

const disk = mkdtempSync(join(tmpdir(), 'lazyscope-disk-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2500k', 'lazyscope', disk]).status === 0;

describe('a full disk', () => {
  afterAll(async () => {
    if (mounted) spawnSync('umount', [disk]);
    await rm(disk, { recursive: true, force: true });
  });

  test.skipIf(!mounted)(
    mounted
      ? 'is one line and exit status 2 for every command that writes, and leaves nothing half-written'
      : 'SKIPPED: a small disk can be mounted by root on Linux only',
    async () => {
      const data = `--data=${disk}`;
      const full = /The disk is full while writing/;
      const capture = ['capture', `--model=${fixtureModel()}`, '--text=dataset:moby-dick', data];
      const hooks = ['--hook=blocks.0.hook_resid_post', '--dtype=float32'];
      refused(full, ...capture, ...hooks, '--max-tokens=60000', '--name=large');
      expect(await readdir(join(disk, 'captures'))).toEqual([]);

      expect(lazyscope(...capture, ...hooks, '--max-tokens=3000', '--name=small').status).toBe(0);
      const long = ['train', '--architecture=topk', '--capture=small', '--width=20000', data];
      refused(full, ...long, '--tokens=4000', '--name=wide');
      expect(await readdir(join(disk, 'runs'))).toEqual([]);

      await writeFile(join(disk, 'rest'), Buffer.alloc(3_000_000)).catch(() => {});
      const sparsity = ['sparsity', `--model=${fixtureModel()}`, '--text=dataset:moby-dick'];
      refused(full, ...sparsity, '--max-tokens=1024', data);
      refused(full, 'export', 'fixture-topk/0', `--to=${join(disk, 'exported')}`);
      expect(existsSync(join(disk, 'exported'))).toBe(false);
      refused(full, 'serve', '--port=0', '--no-explorer', data);
      await rm(join(disk, 'rest'));
      // Once there is space again, the same command works.
      expect(lazyscope('export', 'fixture-topk/0', `--to=${join(disk, 'exported')}`).status).toBe(0);
    },
  );
});

describe('what works', () => {
  test('--json prints one document and nothing else', () => {
    const { status, stdout } = lazyscope(
      'lm',
      'generate',
      '--model=fixture-relu',
      '--prompt=the sea',
      '--max-new-tokens=3',
      '--json',
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: 'fixture-relu', prompt: 'the sea' });
  });

  test('doctor says what works, and why what does not', () => {
    const { status, stdout } = lazyscope('doctor', '--backend=cpu', '--json');
    expect(status).toBe(0);
    const {
      backends,
      chosen,
    }: { backends: { name: string; works: boolean; remedy?: string }[]; chosen: { name: string } } =
      JSON.parse(stdout);
    expect(backends.find(({ name }) => name === 'cpu')?.works).toBe(true);
    expect(backends.filter(({ works }) => !works).every(({ remedy }) => remedy !== undefined)).toBe(true);
    expect(chosen.name).toBe('cpu');
  });

  test('doctor makes no data folder', () => {
    const folder = join(tmpdir(), `lazyscope-never-made-${process.pid}`);
    expect(lazyscope('doctor', '--backend=cpu', `--data=${folder}`).status).toBe(0);
    expect(existsSync(folder)).toBe(false);
  });

  test('doctor fails, after its report, when the backend asked for by name does not start', () => {
    // No Vulkan driver, no webgpu: the same on every machine.
    const nothing = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };
    for (const format of [['--json'], []]) {
      const { status, stdout, stderr } = lazyscopeWith(nothing, 'doctor', '--backend=webgpu', ...format);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^lazyscope: Backend webgpu .+\n$/);
      expect(stdout).toContain('cpu');
      if (format.length > 0) {
        const { chosen, problem } = JSON.parse(stdout);
        expect({ chosen, problem }).toEqual({
          chosen: null,
          problem: stderr.slice('lazyscope: '.length, -1),
        });
      }
    }
  });

  test('the commands one after another: train, evaluate, index, compare', () => {
    const trained = lazyscope(...train('small', '--tokens=20000', '--seeds=0,1', '--json'));
    expect(trained.status).toBe(0);
    expect(JSON.parse(trained.stdout).runs).toMatchObject([
      { name: 'small', status: 'complete', seeds: [0, 1] },
    ]);
    const evaluated = lazyscope('evaluate', 'small', '--json');
    const { evaluations }: { evaluations: { l0: number; fvu: number }[] } = JSON.parse(evaluated.stdout);
    expect(evaluations).toHaveLength(2);
    expect(evaluations[0].l0).toBeLessThanOrEqual(4);
    expect(JSON.parse(lazyscope('index', 'small', '--json').stdout).indexed).toMatchObject([
      { run: 'small', seed: 0, features: 64 },
      { run: 'small', seed: 1, features: 64 },
    ]);
    const compared = JSON.parse(lazyscope('compare', 'small', '--json').stdout);
    expect(compared.comparisons).toMatchObject([
      { name: 'small-0-1', latents: 64, a: { seed: 0 }, b: { seed: 1 } },
    ]);
    expect(compared).toMatchObject({ threshold: 0.7, gap: compared.comparisons[0].gap });
    for (const name of ['shared', 'mmcs', 'pwMcc', 'seconds', 'peakRssMb'])
      expect(compared[name]).toBe(compared.comparisons[0][name]);
    expect(compared.curve).toHaveLength(101);
    expect(compared.curve[70]).toEqual({ threshold: 0.7, shared: compared.shared });
    expect(JSON.parse(lazyscope('map', 'small-0-1', '--json').stdout).maps).toMatchObject([
      { comparison: 'small-0-1', points: 128 },
    ]);
    refused(/no.*comparison|comparison.*not/i, 'map', 'nothing');
  });

  test('export and import bring a dictionary back as it was', () => {
    const folder = join(store.root, 'exported');
    expect(lazyscope('export', 'fixture-topk/0', `--to=${folder}`).status).toBe(0);
    refused(/exists/, 'export', 'fixture-topk/0', `--to=${folder}`);
    expect(lazyscope('import', folder, '--capture=fixture', '--name=back').status).toBe(0);
    const { comparisons }: { comparisons: { shared: number; mmcs: number }[] } = JSON.parse(
      lazyscope('compare', 'back/0', 'fixture-topk/0', '--json').stdout,
    );
    expect(comparisons[0].shared).toBe(1);
    expect(comparisons[0].mmcs).toBeCloseTo(1, 5);
  });
});

describe('while it runs', () => {
  const start = (...args: string[]) =>
    spawn(process.execPath, [script, ...args, '--data', store.root], {
      env: { ...process.env, LAZYSCOPE_PROGRESS: 'json' },
    });

  test('a second trainer on the same run is refused; Ctrl-C leaves a checkpoint that --resume goes on from', async () => {
    const long = train('long', '--tokens=100000000');
    const first = start(...long);
    const progress = new Promise<void>((resolve) => {
      let said = '';
      first.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (/"done":(\d{2,})/.test(said)) resolve();
      });
    });
    const ended = new Promise<number | null>((resolve) => first.once('exit', (code) => resolve(code)));
    await progress;
    refused(/in use by process \d+.*training run long/, ...train('long', '--tokens=100000000', '--resume'));
    first.kill('SIGINT');
    expect(await ended).toBe(130);
    const manifest = JSON.parse(await readFile(store.runManifest('long'), 'utf8'));
    expect(manifest).toMatchObject({ status: 'interrupted' });
    expect(manifest.step).toBeGreaterThan(9);
    refused(/was interrupted at step/, ...long);

    // A run is resumed with the options it was begun with: its name is enough, and flags that contradict them are refused.
    refused(/another configuration \(k differ\)/, 'train', '--resume', '--name=long', '--k=5');
    refused(/no run 'short'.*to resume/, 'train', '--resume', '--name=short');
    const other = manifest.config.architecture === 'relu' ? 'topk' : 'relu';
    refused(/leave --architecture out/, 'train', '--resume', '--name=long', `--architecture=${other}`);
    // A server's job names the architecture and the capture as well; the rest is as it was begun.
    const same = [`--architecture=${manifest.config.architecture}`, `--capture=${manifest.config.capture}`];
    const again = start('train', '--resume', '--name=long', ...same);
    const from = await new Promise<number>((resolve) => {
      again.stderr.setEncoding('utf8').on('data', (text: string) => {
        const match = /"done":(\d+)/.exec(text);
        if (match) resolve(Number(match[1]));
      });
    });
    again.kill('SIGKILL');
    expect(from).toBeGreaterThan(manifest.step - 1);
  });
});
