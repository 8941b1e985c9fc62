/**
 * A device that really runs out of memory: SwiftShader takes its memory from the process, whose address space is limited once
 * the device has started. Lavapipe can't be used: it crashes where it finds no memory, before it has said so.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { toyHook, writeToyCapture } from '../sae/fixtures/toyCapture.ts';
import { startBackend } from '../sae/backends/startBackend.ts';
import { adapterForTests } from '../sae/backends/webgpu/adapterForTests.ts';
import { StoreLayout } from '../sae/store/layout.ts';
import { runKind } from '../sae/spec/manifests/run.ts';
import { readManifest } from '../sae/store/readManifest.ts';
import { defaultTrainingConfig } from '../sae/training/defaults.ts';
import { train, type TrainOptions } from '../sae/training/train.ts';

const adapter = await adapterForTests();
const unfit = !adapter.found
  ? adapter.description
  : !/swiftshader/i.test(adapter.description)
    ? `SKIPPED, needs SwiftShader: ${adapter.description}`
    : spawnSync('prlimit', ['--version']).status !== 0 && 'SKIPPED, no prlimit';

const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-memory-')));
afterAll(() => rmSync(store.root, { recursive: true, force: true }));

const training = (name: string, size: { width: number; batchSize: number }): TrainOptions => ({
  store,
  name,
  config: defaultTrainingConfig('relu', {
    capture: 'toy',
    hook: toyHook,
    d: 8,
    tokens: 2 * size.batchSize,
    seeds: [3],
    checkpointEvery: 1,
    logEvery: 1,
    ...size,
  }),
  environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'native', threads: 1 },
});
/** Pre-activations of 256 MB. */
const large = { width: 32_768, batchSize: 2048 };
/** A batch small enough to fit that runs the same programs (products have others for less), because SwiftShader crashes when there is no memory to compile one. */
const small = { width: 4096, batchSize: 1024 };

const url = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);

let processes = 0;

/** A process that may grow by so many MB from when the device has made its first steps, and `before` has run. */
function within(megabytes: number, program: { before?: string; limited: string }) {
  const { store: _, ...warmUp } = training(`warm-up-${++processes}`, small);
  const whole = `
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { register } from 'tsx/esm/api';
    register();
    const { startBackend } = await import(${url('../sae/backends/startBackend.ts')});
    const { StoreLayout } = await import(${url('../sae/store/layout.ts')});
    const { train } = await import(${url('../sae/training/train.ts')});
    await startBackend('webgpu');
    await train({ ...${JSON.stringify(warmUp)}, store: new StoreLayout(${JSON.stringify(store.root)}) });
    ${program.before ?? ''}
    const kilobytes = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    execFileSync('prlimit', ['--pid', process.pid, '--as=' + (kilobytes + ${megabytes} * 1024) * 1024]);
    ${program.limited}`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', whole], {
    encoding: 'utf8',
    timeout: 170_000,
    cwd: join(import.meta.dirname, '..'),
  });
}

/** The command line in such a process. */
const lazyscopeWithin = (megabytes: number, ...args: string[]) =>
  within(megabytes, {
    before: `const { main } = await import(${url('cli.ts')});`,
    limited: `await main(${JSON.stringify(args)});`,
  });

test.skipIf(unfit)(
  `memory that runs out while training: one line, exit status 2, the checkpoint intact, and another backend goes on (${unfit || adapter.description})`,
  async () => {
    await startBackend('native', { threads: 1 });
    await writeToyCapture(store, 'toy');
    const stopping = new AbortController();
    const { signal } = stopping;
    const begun = train({ ...training('run', large), signal, report: () => stopping.abort() });
    await expect(begun).rejects.toMatchObject({ code: 'cancelled' });
    const checkpoint = join(store.runCheckpoints('run'), 'step-1.safetensors');
    const before = readFileSync(checkpoint);

    const resume = ['train', '--name=run', '--resume', '--backend=webgpu', '--json', `--data=${store.root}`];
    const { status, stdout, stderr } = lazyscopeWithin(190, ...resume);
    expect(stderr).toMatch(
      /^lazyscope: The GPU \(.+\) has no memory for 256 MB more than the \d+ MB in use: use a smaller batch, a narrower dictionary or fewer seeds at once, and resume from the last checkpoint\.$/m,
    );
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect((await readManifest(store.runManifest('run'), runKind)).status).toBe('interrupted');
    expect(readdirSync(store.runCheckpoints('run'))).toEqual(['step-1.safetensors']);
    expect(readFileSync(checkpoint).equals(before)).toBe(true);

    const goneOn = await train({ ...training('run', large), resume: true });
    expect(goneOn).toMatchObject({ status: 'complete', step: 2 });
  },
  180_000,
);

test.skipIf(unfit)(
  `rows that the device has no memory for are refused, and those it has are let go of for others (${unfit || adapter.description})`,
  async () => {
    await startBackend('native', { threads: 1 });
    await writeToyCapture(store, 'toy');
    const { status, stdout, stderr } = within(190, {
      before: `
        const { fusedKernels } = await import(${url('../sae/ops/kernelTable.ts')});
        const { tf } = await import(${url('../sae/tensor/tf.ts')});
        const stores = fusedKernels().rowStores;
        const lost = [];
        const open = (megabytes, name) => stores.open(megabytes * 256, 1024, 'float32', () => lost.push(name));
        // The first of each kind compiles.
        const rowOf = (store) => {
          store.fill(Float32Array.from({ length: 1024 }, (_, i) => i), 5);
          return store.read(Int32Array.of(5)).at(-1);
        };
        const sumOf = (megabytes) => tf.tidy(() => tf.fill([megabytes * 256, 1024], 1).max().dataSync()[0]);
        const first = open(1, 'first');
        rowOf(first);
        first.dispose();
        sumOf(1);`,
      limited: `
        const found = {};
        const small = open(10, 'small');
        try {
          open(500, 'huge');
        } catch ({ code, message }) {
          found.refused = { code, message };
        }
        found.afterwards = { lost: [...lost], row: rowOf(open(10, 'another')) };
        const large = open(120, 'large');
        found.row = rowOf(large);
        found.tensor = sumOf(120);
        found.lost = lost;
        process.stdout.write(JSON.stringify(found));
        process.exit(0);`,
    });
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      refused: {
        code: 'unavailable',
        message: expect.stringMatching(
          /^The GPU \(.+\) has no memory for 500 MB of rows: keep fewer of them there\.$/,
        ),
      },
      afterwards: { lost: ['small'], row: 1023 },
      row: 1023,
      tensor: 1,
      lost: ['small', 'another', 'large'],
    });
  },
  180_000,
);
