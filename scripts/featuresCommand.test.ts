/** `lazyscope features` and `lazyscope steer` on a store, without a server. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startBackend } from '../sae/backends/startBackend.ts';
import { compare } from '../sae/comparison/compare.ts';
import { latents, writeInferenceStore } from '../sae/fixtures/inferenceStore.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
let folder: string;
beforeAll(async () => {
  await startBackend('auto');
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-features-command-'));
  const { store, model } = await writeInferenceStore(folder);
  model.dispose();
  const pair = { a: { run: 'topk', seed: 0 }, b: { run: 'topk', seed: 1 } };
  await compare({ store, name: 'pair', ...pair, nulls: null });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function lazyscope(...args: string[]) {
  const script = join(import.meta.dirname, 'lazyscope.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args, '--data', folder], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('features: every token with what fires, and whether the counterparts fire with it', () => {
  const { status, stdout } = lazyscope('features', 'topk', 'topk/1', 'neurons/0', '--text', 'Call me Ishmael', '--json', '--top', '2'); // prettier-ignore
  expect(status).toBe(0);
  const found = JSON.parse(stdout);
  expect(found.tokens.map(({ text }: { text: string }) => text).join('')).toBe(
    '<|endoftext|>Call me Ishmael',
  );
  expect(found.dictionaries.map(({ run, seed }: { run: string; seed: number }) => `${run}/${seed}`)).toEqual([
    'topk/0',
    'topk/1',
    'neurons/0',
  ]);
  expect(found.dictionaries[0].strongest[1]).toHaveLength(2);
  expect(found.dictionaries[2].counterparts).toBeNull();
  for (const { latent, counterpart } of found.dictionaries[1].counterparts.rows)
    expect(counterpart.latent).toBe(latents - 1 - latent);
  const text = lazyscope('features', 'topk', '--text', 'Call me Ishmael').stdout;
  expect(text).toMatch(/topk\/0 at blocks\.1\.hook_resid_post/);
  expect(text).toMatch(/" me"\s+\d+\.\d\d\s+6 {2}\d+:/);
});

test('steer: continuations with and without, and with the counterparts of another seed', () => {
  const { status, stdout } = lazyscope('steer', 'topk', '--prompt', 'Call me', '--clamp', '3=8', '--ablate', '5', '--counterpart', 'topk/1', '--max-new-tokens', '6', '--samples', '1', '--json'); // prettier-ignore
  expect(status).toBe(0);
  const { continuations, next, counterparts, steered } = JSON.parse(stdout);
  expect(steered).toEqual([
    { run: 'topk', seed: 0, interventions: [{ latent: 3, kind: 'clamp', value: 8 }, { latent: 5, kind: 'ablate', value: 0 }] },
  ]); // prettier-ignore
  expect(counterparts.map((one: { counterpart: number }) => one.counterpart)).toEqual([
    latents - 4,
    latents - 6,
  ]);
  expect(continuations.map((one: { variant: string; sample: number | null }) => [one.variant, one.sample])).toEqual([
    ['without', null], ['without', 0], ['with', null], ['with', 0], ['counterpart', null], ['counterpart', 0],
  ]); // prettier-ignore
  expect(next.divergence.with).toBeGreaterThan(0);
  expect(Math.abs(next.divergence.counterpart / next.divergence.with - 1)).toBeLessThan(0.5);
  expect(lazyscope('steer', 'topk/1', '--prompt', 'Call me', '--add', '3=-2.5', '--reconstruction', '--max-new-tokens', '3').stdout).toMatch(/── with, greedy\nCall me/); // prettier-ignore
});

test.each([
  [/no run 'nothing'/, ['features', 'nothing', '--text', 'a']],
  [/no seed 7/, ['features', 'topk/7', '--text', 'a']],
  [/no latent 96: it has 96/, ['features', 'topk', '--text', 'a', '--latent', '96']],
  [/tokens, but 'lazyscope-demo-relu' has a context of 256/, ['features', 'topk', '--text', 'whale '.repeat(400)]],
  [/Nothing is steered/, ['steer', 'topk', '--prompt', 'a']],
  [/--add 3: give LATENT=VALUE/, ['steer', 'topk', '--prompt', 'a', '--add', '3']],
  [/--ablate 3=1: give a latent/, ['steer', 'topk', '--prompt', 'a', '--ablate', '3=1']],
  [/not compared: run 'lazyscope compare/, ['steer', 'topk', '--prompt', 'a', '--ablate', '3', '--counterpart', 'relu/0']],
] as const)('what can not be is refused in one line: %s', (message, args) => {
  const { status, stderr } = lazyscope(...args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(message) });
}); // prettier-ignore
