/** The check itself, on a backend that every machine has. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'lazyscope-gpu-check-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const check = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'check.ts'), ...args], {
    encoding: 'utf8',
    cwd: join(import.meta.dirname, '..', '..'),
  });

test('trains on a backend beside the reference, and writes down what it found', () => {
  const out = join(folder, 'results', 'wasm.json');
  const only = ['--backend', 'wasm', '--size', 'small', '--only', 'trains (topk|jumprelu)'];
  const { status, stdout, stderr } = check(...only, '--python', 'none', '--out', out);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/\| wasm trains topk \| losses off by at most \d\.\de-\d+ in 200 steps/);
  const written = JSON.parse(readFileSync(out, 'utf8'));
  expect(written.results).toMatchObject([
    { name: 'wasm trains topk', outcome: 'done', document: { architecture: 'topk', steps: 60 } },
    { name: 'wasm trains jumprelu', outcome: 'done' },
  ]);
});

test('what it would run can be listed; what it does not know is refused', () => {
  const { stdout } = check('--list');
  for (const step of [
    'cuda conformance',
    'cuda language model',
    'cuda trains topk, bf16',
    'webgpu conformance',
    'native topk 768 × 24576',
    'PyTorch topk',
    'webgpu trains gated',
  ])
    expect(stdout).toContain(step);
  expect(check('--size', 'huge')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('small, usual'),
  });
  expect(check('--backend', 'vulkan')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('native'),
  });
  expect(check('--only', 'nothing')).toMatchObject({ status: 2, stderr: expect.stringContaining('--list') });
});
