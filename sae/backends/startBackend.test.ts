import { mkdtempSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { tf } from '../tensor/tf.ts';
import { findCompiler } from './native/compiler.ts';
import { startBackend, type BackendChoice } from './startBackend.ts';

const here = dirname(fileURLToPath(import.meta.url));
const compiler = findCompiler();

/** Starts a backend in a process of its own, with another environment; what it prints last is JSON. */
function startElsewhere(choice: BackendChoice, environment: Record<string, string>): Promise<string> {
  const source = `
    const { startBackend } = await import(${JSON.stringify(join(here, 'startBackend.ts'))});
    const { tf } = await import(${JSON.stringify(join(here, '..', 'tensor', 'tf.ts'))});
    const started = await startBackend(${JSON.stringify(choice)}).catch(({ code, message }) => ({ code, message }));
    const sum = started.code ? null : tf.sum(tf.matMul(tf.ones([5, 6]), tf.ones([6, 7]))).dataSync()[0];
    console.log(JSON.stringify({ ...started, sum }));`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: join(here, '..', '..'),
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) =>
      code === 0 ? resolve(out.trim().split('\n').at(-1) ?? '') : reject(new Error(err)),
    );
  });
}

describe('asked for by name', () => {
  test('the plain CPU backend starts, with one thread', async () => {
    expect(await startBackend('cpu')).toMatchObject({ name: 'cpu', threads: 1, reason: 'asked for by name' });
    expect(tf.getBackend()).toBe('cpu');
  });

  test('wasm starts from the files in its package', async () => {
    expect(await startBackend('wasm')).toMatchObject({ name: 'wasm', threads: 1 });
    expect(tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()).toEqual(new Float32Array([3, 3, 3, 3]));
  });

  test.each([{ path: 'dense' }, { screening: false }, { graphs: false }] as const)(
    '%o is refused where it would do nothing',
    async (option) => {
      await expect(startBackend('wasm', option)).rejects.toMatchObject({
        code: 'bad_input',
        message: expect.stringMatching(/choose (native|cuda)/),
      });
    },
  );

  test('a backend that cannot start is an error with a remedy, not another backend', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'lazyscope-cache-'));
    const answer = JSON.parse(await startElsewhere('tensorflow', { XDG_CACHE_HOME: cache }));
    rmSync(cache, { recursive: true });
    expect(answer).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('Run lazyscope tensorflow install'),
    });
  });

  test('a number of threads that is none is refused', async () => {
    await expect(startBackend('auto', { threads: 0 })).rejects.toMatchObject({ code: 'bad_input' });
    await expect(startBackend('native', { threads: 1.5 })).rejects.toMatchObject({ code: 'bad_input' });
  });

  test.skipIf(!compiler)('native takes the number of threads it is given', async () => {
    expect(await startBackend('native', { threads: 3 })).toMatchObject({ name: 'native', threads: 3 });
  });
});

describe('without a compiler', () => {
  let cache: string;
  beforeEach(() => void (cache = mkdtempSync(join(tmpdir(), 'lazyscope-cache-'))));
  afterEach(() => rmSync(cache, { recursive: true, force: true }));
  const nothing = () => ({ PATH: '/nonexistent', CXX: '', XDG_CACHE_HOME: cache });

  test('native is an error that says what to install', async () => {
    const answer = JSON.parse(await startElsewhere('native', nothing()));
    expect(answer).toMatchObject({ code: 'unavailable', message: expect.stringContaining('Install g++') });
  });

  test('auto takes wasm and says why', async () => {
    const answer = JSON.parse(await startElsewhere('auto', nothing()));
    expect(answer).toMatchObject({
      name: 'wasm',
      sum: 210,
      reason: expect.stringContaining('no C++ compiler'),
    });
  });

  test('auto takes no GPU that is only software', async () => {
    const answer = JSON.parse(
      await startElsewhere('auto', { ...nothing(), LAZYSCOPE_CUDA_DEVICE: 'software' }),
    );
    expect(answer).toMatchObject({ name: 'wasm', reason: expect.stringContaining('device in software') });
  });
});

describe.skipIf(!compiler)('buffers of the native backend', () => {
  beforeEach(() => startBackend('native'));

  test('are reused once a tensor is disposed', () => {
    const x = tf.zeros([100_000]);
    tf.exp(x).dispose();
    const allocated = vi.spyOn(Buffer, 'allocUnsafeSlow');
    for (let i = 0; i < 50; i++) tf.exp(x).dispose();
    expect(allocated).not.toHaveBeenCalled();
    const kept = tf.exp(x);
    tf.exp(x).dispose();
    expect(allocated).toHaveBeenCalledTimes(1);
    allocated.mockRestore();
    tf.dispose([x, kept]);
  });

  test('are not reused while their reader may hold them', () => {
    const x = tf.tidy(() => tf.add(tf.zeros([777]), 1));
    const seen = x.dataSync();
    x.dispose();
    tf.tidy(() => void tf.add(tf.zeros([777]), 5));
    expect(seen.every((value) => value === 1)).toBe(true);
  });

  test('do not take over an array that was passed in', () => {
    const given = new Float32Array(555).fill(2);
    tf.tensor1d(given).dispose();
    tf.tidy(() => void tf.add(tf.zeros([555]), 5));
    expect(given.every((value) => value === 2)).toBe(true);
  });

  test("are not reused while a view that TF.js's own kernel took of them is alive", () => {
    const x = tf.tidy(() => tf.add(tf.zeros([4, 100]), 1));
    // No C++ kernel: TF.js may return a view of the input's memory.
    const view = tf.tidy(() => tf.expandDims(tf.reshape(x, [400]), 0));
    x.dispose();
    tf.tidy(() => void tf.add(tf.zeros([4, 100]), 5));
    expect(view.dataSync().every((value) => value === 1)).toBe(true);
    view.dispose();
  });
});
