import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { libraryCandidates, loadLibrary } from './libraries.ts';

const root = mkdtempSync(join(tmpdir(), 'lazyscope-libraries-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = (path: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), 'not a library');
  return join(root, path);
};

test('folders that are named come first, then the loader, toolkits and Python packages', () => {
  const named = file('named/libnvrtc.so.12');
  const toolkit = file('toolkit/lib64/libnvrtc.so.13');
  const wheel = file('venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13');
  const old = file('bin-of-python/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12');
  file('bin-of-python/bin/python3');
  const found = libraryCandidates('libnvrtc', {
    LAZYSCOPE_CUDA_LIBRARIES: `${join(root, 'nothing')}:${join(root, 'named')}`,
    CUDA_HOME: join(root, 'toolkit'),
    VIRTUAL_ENV: join(root, 'venv'),
    PATH: `/bin:${join(root, 'bin-of-python', 'bin')}`,
  });
  expect(found.slice(0, 3)).toEqual([named, 'libnvrtc.so.13', 'libnvrtc.so.12']);
  const ours = found.filter((path) => path.startsWith(root));
  expect(ours).toEqual([named, toolkit, wheel, old]);
});

test('nothing is looked for where nothing is named', () => {
  expect(libraryCandidates('libcuda', {})[0]).toBe('libcuda.so.1');
});

test('a library that does not load is passed over; the error says what to install', () => {
  file('damaged/libcublasLt.so.13');
  const environment = { LAZYSCOPE_CUDA_LIBRARIES: join(root, 'damaged') };
  const candidates = libraryCandidates('libcublasLt', environment);
  expect(candidates[0]).toBe(join(root, 'damaged', 'libcublasLt.so.13'));
  let said = '';
  try {
    // On a machine that has the library, what is damaged is passed over for it.
    expect(loadLibrary('libcublasLt', environment).path).not.toBe(candidates[0]);
  } catch (error) {
    said = String((error as Error).message);
    expect(said).toMatch(/libcublasLt\.so\.13 or libcublasLt\.so\.12\. Run pip install nvidia-cublas/);
  }
});
