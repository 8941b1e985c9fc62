/** Talking to the model through a real server: the process that keeps it, its limits, and what happens when it dies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startBackend } from '../sae/backends/startBackend.ts';
import { compare } from '../sae/comparison/compare.ts';
import { indexFeatures } from '../sae/features/indexFeatures.ts';
import { demoModel, latents, writeInferenceStore } from '../sae/fixtures/inferenceStore.ts';
import { AttachedModel } from '../sae/inference/attachedModel.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient, type SteeringEvent } from './client.ts';
import { mostQuestions } from './playground/modelWorker.ts';
import { serve, type RunningServer } from './serve.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const program = [process.execPath, join(import.meta.dirname, '..', 'scripts', 'lazyscope.mjs')] as const;
const topk = { run: 'topk', seed: 0 };
let folder: string;
let store: StoreLayout;
let server: RunningServer;
let client: LazyscopeClient;
const log: string[] = [];

const open = (more: { idleSeconds?: number; token?: string; readToken?: string } = {}) =>
  serve({
    dataFolder: folder,
    bundledModels: [join(demoModel, '..')],
    version: '0',
    program,
    port: 0,
    log: (line) => log.push(line),
    ...more,
  });

beforeAll(async () => {
  await startBackend('auto');
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-playground-'));
  const written = await writeInferenceStore(folder);
  ({ store } = written);
  for (const seed of [0, 1]) await indexFeatures({ store, run: 'topk', seed, model: written.model });
  written.model.dispose();
  await compare({ store, name: 'pair', a: topk, b: { run: 'topk', seed: 1 }, nulls: null });
  server = await open();
  client = createLazyscopeClient({ url: server.url });
});
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Steering {
  events: SteeringEvent[];
  finished: Promise<SteeringEvent[]>;
  stop: () => void;
}

type SteerInput = Parameters<LazyscopeClient['playground']['steer']['subscribe']>[0];

function steer(input: SteerInput, on: LazyscopeClient = client): Steering {
  const events: SteeringEvent[] = [];
  let stop = () => {};
  const finished = new Promise<SteeringEvent[]>((resolve, reject) => {
    const subscription = on.playground.steer.subscribe(input, {
      onData: (event) => events.push(event),
      onComplete: () => resolve(events),
      onError: reject,
    });
    stop = () => {
      subscription.unsubscribe();
      resolve(events);
    };
  });
  return { events, finished, stop: () => stop() };
}

/** Processes take their time to start on a busy machine. */
const eventually = <Value>(look: () => Value | Promise<Value>) => expect.poll(look, { timeout: 40_000 });
const clamped = (value = 6) => ({ ...topk, interventions: [{ latent: 3, kind: 'clamp' as const, value }] });

/** The number of the process that answers, from its parent's list of children. */
async function modelProcesses(): Promise<number[]> {
  const { execFileSync } = await import('node:child_process');
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [pid, ppid, ...args] = line.trim().split(/\s+/);
    return Number(ppid) === process.pid && args.includes('model-process') && args.includes(`--data=${folder}`) ? [Number(pid)] : [];
  }); // prettier-ignore
}

describe('features of a text', () => {
  test('are those that the library finds, with labels and tokens of the index beside them', async () => {
    await client.labels.set.mutate({ ...topk, latent: 3, label: 'third' });
    const text = 'Call me Ishmael. Some years ago';
    const found = await client.playground.features.query({
      text,
      dictionaries: [
        { ...topk, latents: [3] },
        { run: 'topk', seed: 1 },
        { run: 'neurons', seed: 0 },
      ],
      strongest: 4,
      traced: 12,
      predictions: 2,
    });
    const attached = await AttachedModel.load(store, demoModel);
    const expected = await attached.features({
      text, strongest: 4, traced: 12, predictions: 2, latents: [[3], [], []],
      dictionaries: [topk, { run: 'topk', seed: 1 }, { run: 'neurons', seed: 0 }],
      comparisons: [null, { name: 'pair', side: 'a' }, null],
    }); // prettier-ignore
    attached.dispose();
    expect(found).toMatchObject(JSON.parse(JSON.stringify(expected)));
    const [first, second, third] = found.dictionaries;
    expect(first.glances.find(({ latent }) => latent === 3)).toMatchObject({ label: 'third' });
    expect(first.glances.some(({ topTokens, maxActivation }) => topTokens.length > 0 && maxActivation! > 0)).toBe(true); // prettier-ignore
    const mentioned = second.counterparts!.rows.flatMap(({ counterpart }) => (counterpart ? [counterpart.latent] : [])); // prettier-ignore
    expect(mentioned.length).toBeGreaterThan(0);
    const known = new Set(second.glances.map(({ latent }) => latent));
    expect(mentioned.filter((latent) => !known.has(latent))).toEqual([]);
    expect(third).toMatchObject({ architecture: 'relu', counterparts: null });
    expect(third.glances[0]).toMatchObject({ density: null, maxActivation: null, topTokens: [] });
  });

  test('a model without a dictionary predicts, and its memory is shown', async () => {
    const { predictions, dictionaries } = await client.playground.features.query({
      text: 'the',
      model: 'lazyscope-demo-relu',
    });
    expect(dictionaries).toEqual([]);
    expect(predictions[0]).toHaveLength(8);
    const status = await client.playground.status.query();
    expect(status).toMatchObject({ state: 'waiting', model: 'lazyscope-demo-relu', idleSeconds: 300 });
    expect(status.residentBytes).toBeGreaterThan(20 << 20);
    expect(status.dictionaries).toContain('topk/0');
    expect(status.parameters).toBeGreaterThan(1e6);
  });

  test('a text longer than an address reaches the model, one longer than its context is refused', async () => {
    await expect(
      client.playground.features.query({ text: 'whale '.repeat(3_000), dictionaries: [topk] }),
    ).rejects.toMatchObject({ data: { lazyscopeCode: 'bad_input' }, message: expect.stringMatching(/context of 256: shorten it/) }); // prettier-ignore
  });

  test.each([
    ['no dictionary and no model', { text: 'a' }, /at least one dictionary/],
    ['a text that is too long', { text: 'a'.repeat(20_001), dictionaries: [topk] }, /20000/],
    ['an empty text', { text: '', dictionaries: [topk] }, /text/],
    ['nine dictionaries', { text: 'a', dictionaries: Array.from({ length: 9 }, () => topk) }, /8/],
    ['a run that leads out of the store', { text: 'a', dictionaries: [{ run: '../x', seed: 0 }] }, /letters/],
    ['a run that is not there', { text: 'a', dictionaries: [{ run: 'nothing', seed: 0 }] }, /no run 'nothing'/],
    ['a seed that is not there', { text: 'a', dictionaries: [{ run: 'topk', seed: 9 }] }, /no seed 9/],
    ['a latent that is not there', { text: 'a', dictionaries: [{ ...topk, latents: [latents] }] }, /no latent 96/],
    ['a model that is not listed', { text: 'a', model: 'nothing' }, /no model 'nothing'/],
    ['a model by its path', { text: 'a', model: demoModel }, /letters/],
  ])('%s is refused', async (_, input, message) => {
    await expect(client.playground.features.query(input)).rejects.toThrow(message);
  }); // prettier-ignore
});

describe('steering', () => {
  test('streams the start, the next token, tokens as they come, and the end', async () => {
    const counterpart = { run: 'topk', seed: 1 };
    const input = { prompt: 'Call me', dictionaries: [clamped()], counterpart, maxNewTokens: 8, samples: 1 };
    const events = await steer(input).finished;
    expect(events[0]).toMatchObject({
      type: 'start',
      model: 'lazyscope-demo-relu',
      variants: ['without', 'with', 'counterpart'],
      counterparts: [{ latent: 3, counterpart: latents - 4 }],
      rows: [0, 1, 2].flatMap((variant) => [
        { variant, sample: null },
        { variant, sample: 0 },
      ]),
    });
    expect(events.map(({ type }) => type)).toEqual(['start', 'next', ...Array.from({ length: 8 }, () => 'tokens'), 'end']); // prettier-ignore
    const next = events[1];
    if (next.type !== 'next') throw new Error('the second event is the next token');
    expect(next.divergence[0]).toBe(0);
    expect(next.divergence[1]).toBeGreaterThan(0);
    const sums = [0, 1, 2].map((variant) =>
      next.tokens.reduce((sum, one) => sum + one.probabilities[variant], 0),
    );
    for (const sum of sums) expect(sum).toBeLessThanOrEqual(1 + 1e-9);
  });

  test('readers may steer: nothing is changed by it', async () => {
    const guarded = await open({ token: 'all', readToken: 'read' });
    const reader = createLazyscopeClient({ url: guarded.url, token: 'read' });
    const events = await steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 2 }, reader)
      .finished;
    expect(events.at(-1)?.type).toBe('end');
    await guarded.close();
  });

  test('leaving ends the work', async () => {
    const steering = steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 240 });
    await eventually(() => steering.events.length).toBeGreaterThan(4);
    steering.stop();
    await eventually(async () => (await client.playground.status.query()).state).toBe('waiting'); // prettier-ignore
    expect(steering.events.length).toBeLessThan(200);
  });

  test('a prompt of 4,000 characters of three bytes each reaches the model', async () => {
    const [event] = await steer({ prompt: '鯨'.repeat(4_000), dictionaries: [clamped()] }).finished;
    expect(event).toMatchObject({ type: 'failed', code: 'bad_input', message: expect.stringMatching(/context of 256/) }); // prettier-ignore
  });

  test.each([
    ['a pair that is not compared', { counterpart: { run: 'relu', seed: 0 } }, 'not_found', /not compared: run 'lazyscope compare topk\/0 relu\/0'/],
    ['an unknown latent', { dictionaries: [{ ...topk, interventions: [{ latent: 96, kind: 'ablate' as const }] }] }, 'bad_input', /no latent 96/],
    ['an unknown run', { dictionaries: [{ ...clamped(), run: 'nothing' }] }, 'not_found', /no run 'nothing'/],
    ['a counterpart of two dictionaries', { dictionaries: [clamped(), { ...clamped(), run: 'relu' }], counterpart: topk }, 'bad_input', /one dictionary at a time/],
  ])('%s ends in an event that says so, and no connection is tried again', async (_, more, code, message) => {
    const input = { prompt: 'Call me', dictionaries: [clamped()], ...more };
    expect(await steer(input).finished).toEqual([{ type: 'failed', code, message: expect.stringMatching(message) }]); // prettier-ignore
  }); // prettier-ignore
});

describe('the process of the model', () => {
  test('never makes other requests wait', async () => {
    const steering = steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 200, samples: 4 });
    await eventually(() => steering.events.length).toBeGreaterThan(2);
    const before = steering.events.length;
    const started = performance.now();
    await Promise.all(Array.from({ length: 10 }, () => client.runs.list.query()));
    const waited = performance.now() - started;
    // Two texts go on together.
    await client.playground.features.query({ text: 'and the sea', dictionaries: [topk] });
    expect(steering.events.length).toBeGreaterThan(before);
    expect(steering.events.at(-1)?.type).toBe('tokens');
    expect(waited).toBeLessThan(5_000);
    steering.stop();
  });

  test('that is killed fails its questions with a typed error, and the next question starts another', async () => {
    const steering = steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 240, samples: 4 });
    await eventually(() => steering.events.length).toBeGreaterThan(2);
    const [pid, ...others] = await modelProcesses();
    expect(others).toEqual([]);
    process.kill(pid, 'SIGKILL');
    const events = await steering.finished;
    expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'unavailable', message: expect.stringMatching(/SIGKILL\): ask again/) }); // prettier-ignore
    expect(await client.playground.status.query()).toMatchObject({ state: 'stopped', residentBytes: null });
    const { dictionaries } = await client.playground.features.query({
      text: 'the sea',
      dictionaries: [topk],
    });
    expect(dictionaries[0].l0.at(-1)).toBe(6);
    expect(await modelProcesses()).not.toContain(pid);
  });

  test('takes so many questions at a time and no more', async () => {
    const open = Array.from({ length: mostQuestions }, () =>
      steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 240 }),
    );
    await eventually(() => open.every(({ events }) => events.length > 0)).toBe(true);
    await expect(
      client.playground.features.query({ text: 'the sea', dictionaries: [topk] }),
    ).rejects.toMatchObject({ data: { lazyscopeCode: 'unavailable' } });
    for (const { stop } of open) stop();
    await eventually(async () => (await client.playground.status.query()).state).toBe('waiting'); // prettier-ignore
    await client.playground.features.query({ text: 'the sea', dictionaries: [topk] });
  });

  test('ends when nobody has asked for a while, and with its server', async () => {
    const own = await open({ idleSeconds: 0.2 });
    const visitor = createLazyscopeClient({ url: own.url });
    const before = await modelProcesses();
    await visitor.playground.features.query({ text: 'the sea', dictionaries: [topk] });
    await eventually(async () => (await visitor.playground.status.query()).state).toBe('stopped');
    await eventually(modelProcesses).toEqual(before);
    const asking = visitor.playground.features.query({ text: 'the sea', dictionaries: [topk] });
    await asking;
    await own.close();
    expect(await modelProcesses()).toEqual(before);
  });

  test('goes from one model to another, after the questions about the first', async () => {
    const first = steer({ prompt: 'Call me', dictionaries: [clamped()], maxNewTokens: 40 });
    await eventually(() => first.events.length).toBeGreaterThan(2);
    const { model } = await client.playground.features.query({ text: 'a', model: 'lazyscope-demo-gelu' });
    expect(model).toBe('lazyscope-demo-gelu');
    expect((await first.finished).at(-1)?.type).toBe('end');
    expect((await client.playground.status.query()).model).toBe('lazyscope-demo-gelu');
  });
});
