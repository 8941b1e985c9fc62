import { tableFromIPC } from 'apache-arrow';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeVectors, locateVectors } from '../formats/arrowVectors.ts';
import type { CaptureManifest } from '../spec/manifests/capture.ts';
import { StoreLayout } from '../store/layout.ts';
import { tf } from '../tensor/tf.ts';
import { capture } from './capture.ts';
import type { CaptureOptions } from './planCapture.ts';
import { openCapture } from './openCapture.ts';
import { readText, type Text } from '../tokens/readText.ts';
import { openText } from '../tokens/text/openText.ts';
import {
  letterCapture as options,
  letterModel as model,
  letterText as text,
} from '../fixtures/letterCapture.ts';
import { toy } from '../fixtures/toyLanguageModel.ts';

const newStore = async () => new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-capture-')));

const { documents } = text;

test('each kept row is the activation of its token at its position, in both hooks', async () => {
  const store = await newStore();
  const reports: number[] = [];
  const manifest = await capture({ ...options(store), report: ({ done }) => reports.push(done) });
  // 40 × 24 tokens and a separator at the head of those contexts that don't begin with one.
  expect(manifest).toMatchObject({ status: 'complete', contexts: 63, heldOutContexts: 6, firstPosition: 1 });
  expect(manifest.hooks.map(({ shards }) => shards.length)).toEqual([7, 7]);
  expect(reports.at(-1)).toBe(63 * 16);
  expect(reports).toEqual([...reports].sort((a, b) => a - b));

  const opened = await openCapture(store, 'toy');
  expect(opened.trainRows).toBe(57 * 15);
  expect(opened.heldOutRows).toBe(6 * 15);
  const rows = opened.readRows('blocks.0.hook_resid_post', 0, 63 * 15);
  const neurons = opened.readRows('blocks.0.mlp.hook_post', 0, 63 * 15);
  for (let row = 0; row < 63 * 15; row++) {
    const { context, position } = opened.rowToken(row);
    const token = opened.tokens[context * 16 + position];
    for (let j = 0; j < toy.d; j++) {
      expect(rows[row * 4 + j]).toBe((token + j) / 4 + position / 8);
      expect(neurons[row * 8 + j]).toBe((token + j) / 4 + position / 8);
      expect(neurons[row * 8 + 4 + j]).toBe(-((token + j) / 4 + position / 8));
    }
  }
});

test('every context begins with the separator, and all letters are there once', async () => {
  const store = await newStore();
  await capture(options(store));
  const { tokens } = await openCapture(store, 'toy');
  const count = (of: Iterable<number>) => {
    const counts = Array.from({ length: 27 }, () => 0);
    for (const token of of) counts[token]++;
    return counts;
  };
  for (let context = 0; context < 63; context++) expect(tokens[context * 16]).toBe(0);
  const all = count(documents.flatMap((document) => [...document].map((c) => c.charCodeAt(0) - 96)));
  const got = count(tokens);
  // Only what doesn't fill the last context is missing.
  const missing = all.map((n, token) => (token === 0 ? 0 : n - got[token]));
  expect(Math.min(...missing)).toBeGreaterThanOrEqual(0);
  expect(missing.reduce((a, b) => a + b, 0)).toBeLessThan(16);
});

test('any Arrow reader sees the same rows', async () => {
  const store = await newStore();
  const { hooks } = await capture({ ...options(store), dtype: 'float32' });
  const table = tableFromIPC(await readFile(join(store.capture('toy'), hooks[0].shards[2].file)));
  const opened = await openCapture(store, 'toy');
  const start = hooks[0].shards[0].rows + hooks[0].shards[1].rows;
  expect(table.numRows).toBe(hooks[0].shards[2].rows);
  expect(Array.from(table.get(5)?.activation)).toEqual([...opened.readRows(hooks[0].hook, start + 5, 1)]);
});

test('gathered rows are the read rows, across shards, from memory as float32 or float16 and from files', async () => {
  const store = await newStore();
  await capture(options(store));
  const hook = 'blocks.0.mlp.hook_post';
  const picked = Uint32Array.from({ length: 300 }, (_, i) => (i * 397) % (63 * 15));
  for (const memoryBudget of [63 * 15 * 8 * 4, 63 * 15 * 8 * 2, 0]) {
    const opened = await openCapture(store, 'toy', { memoryBudget });
    const all = opened.readRows(hook, 0, 63 * 15);
    const out = new Float32Array(300 * 8);
    opened.gatherRows(hook, picked, out);
    picked.forEach((row, i) =>
      expect(out.subarray(i * 8, i * 8 + 8)).toEqual(all.subarray(row * 8, row * 8 + 8)),
    );
    expect(() => opened.readRows(hook, 63 * 15 - 1, 2)).toThrow(RangeError);
    expect(() => opened.gatherRows(hook, Uint32Array.of(63 * 15), out)).toThrow(RangeError);
    opened.close();
  }
});

test('a stopped capture goes on where it stopped and ends as if it never had', async () => {
  const whole = await newStore();
  const expected = await capture(options(whole));
  const store = await newStore();
  const controller = new AbortController();
  const stopped = capture({
    ...options(store),
    signal: controller.signal,
    report: ({ done }) => done >= 33 * 16 && controller.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  const partial = JSON.parse(await readFile(store.captureManifest('toy'), 'utf8'));
  expect(partial).toMatchObject({ status: 'partial' });
  expect(partial.hooks[0].shards).toHaveLength(3);
  await expect(openCapture(store, 'toy')).rejects.toMatchObject({ code: 'bad_input' });

  const before = model.calls;
  const manifest = await capture(options(store));
  expect(model.calls - before).toBe(3 * 4 + 1); // contexts 30 to 62: three shards in batches of 3, 3, 3, 1 and one of 3
  expect(manifest.hooks).toEqual(expected.hooks);
  expect(manifest.tokens).toEqual(expected.tokens);

  const again = model.calls;
  expect(await capture(options(store))).toEqual(manifest);
  expect(model.calls).toBe(again);
});

test('a shard is written while the model computes the next one, and named once it is complete', async () => {
  const store = await newStore();
  const path = join(store.captureHook('toy', 'blocks.0.mlp.hook_post'), '00000.arrow');
  const seen: { done: number; file: boolean; named: boolean }[] = [];
  const named = () => existsSync(store.captureManifest('toy'));
  const manifest = await capture({
    ...options(store),
    report: ({ done }) => seen.push({ done: done / 16, file: existsSync(path), named: named() }),
  });
  // Shards are of 10 contexts. No write can have ended when the first batch of the second shard has been computed.
  expect(seen.find(({ done }) => done === 13)).toMatchObject({ file: false });
  for (const { file, named } of seen) if (named) expect(file).toBe(true);
  expect(manifest.hooks.map(({ shards }) => shards.map(({ rows }) => rows))).toEqual([
    [150, 150, 150, 150, 150, 150, 45],
    [150, 150, 150, 150, 150, 150, 45],
  ]);
  for (const { hook, shards } of manifest.hooks)
    for (const { file, sha256 } of shards) {
      const bytes = await readFile(join(store.capture('toy'), file));
      expect(file.startsWith(hook)).toBe(true);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    }
});

test('a shard that cannot be written ends the capture with the reason', async () => {
  const store = await newStore();
  const batches: number[] = [];
  const blocked = capture({
    ...options(store),
    report: ({ done }) => {
      batches.push(done / 16);
      // A folder where the third shard is to be.
      if (done === 20 * 16)
        mkdirSync(join(store.captureHook('toy', 'blocks.0.hook_resid_post'), '00002.arrow'), {
          recursive: true,
        });
    },
  });
  await expect(blocked).rejects.toThrow(/00002\.arrow/);
  const partial = JSON.parse(await readFile(store.captureManifest('toy'), 'utf8'));
  expect(partial.hooks[0].shards).toHaveLength(2);
  expect(Math.max(...batches)).toBeLessThanOrEqual(40);
  await rm(join(store.captureHook('toy', 'blocks.0.hook_resid_post'), '00002.arrow'), { recursive: true });
  expect((await capture(options(store))).hooks[0].shards).toHaveLength(7);
});

test('a stopped capture can be ended at what is there: its contexts, tokens and held-out share', async () => {
  const whole = await newStore();
  const expected = await capture(options(whole));
  const all = await openCapture(whole, 'toy');
  const store = await newStore();
  await expect(capture({ ...options(store), finish: true })).rejects.toMatchObject({ code: 'bad_input' });
  const controller = new AbortController();
  const stopped = capture({
    ...options(store),
    signal: controller.signal,
    report: ({ done }) => done >= 33 * 16 && controller.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });

  const before = model.calls;
  const ended = await capture({ ...options(store), finish: true });
  expect(model.calls).toBe(before);
  const share = expected.heldOutContexts / expected.contexts;
  expect(ended).toMatchObject({
    status: 'complete',
    contexts: 30,
    heldOutContexts: Math.round(30 * share),
  });
  const some = await openCapture(store, 'toy');
  expect(some.tokens).toEqual(all.tokens.slice(0, 30 * 16));
  for (const { hook } of ended.hooks)
    expect(some.readRows(hook, 0, 30 * 15)).toEqual(all.readRows(hook, 0, 30 * 15));
  expect(some.heldOutRows).toBe(ended.heldOutContexts * 15);
  // It is another capture now, and going on would mix the held-out part of one with the training part of the other.
  await expect(capture(options(store))).rejects.toMatchObject({ code: 'conflict' });
  some.close();
  all.close();
});

test('a shard that vanished is made again, with those after it', async () => {
  const store = await newStore();
  const { hooks } = await capture(options(store));
  await rm(join(store.capture('toy'), hooks[1].shards[5].file));
  await expect(openCapture(store, 'toy')).rejects.toMatchObject({ code: 'corrupt' });
  expect((await capture(options(store))).hooks).toEqual(hooks);
  await openCapture(store, 'toy');
});

test('capturing again repairs a shard in which one bit changed, and removes what a killed capture left', async () => {
  const store = await newStore();
  const { hooks } = await capture(options(store));
  const path = join(store.capture('toy'), hooks[1].shards[2].file);
  const before = await readFile(path);
  const damaged = Buffer.from(before);
  damaged[damaged.length >> 1] ^= 1;
  await writeFile(path, damaged);
  const left = join(store.captureHook('toy', hooks[0].hook), '.00003.arrow.77-abcdef01.partial');
  await writeFile(left, 'half a shard');
  const again = await capture(options(store));
  expect(again).toMatchObject({ status: 'complete' });
  expect(await readFile(path)).toEqual(before);
  expect(existsSync(left)).toBe(false);
  const opened = await openCapture(store, 'toy');
  expect(opened.readRows(hooks[1].hook, 0, 63 * 15)).toHaveLength(63 * 15 * hooks[1].width);
});

test('the same name with another configuration is a conflict that says what differs, and changes nothing', async () => {
  const store = await newStore();
  await capture(options(store));
  const files = await Promise.all(
    ['capture.json', 'tokens.arrow'].map((file) => readFile(join(store.capture('toy'), file), 'latin1')),
  );
  for (const [change, named] of [
    [{ contextLength: 8 }, /the context length/],
    [{ dtype: 'float32' }, /the number type/],
    [{ hooks: ['hook_embed'] }, /the hook points/],
    [{ text: { ...text, sha256: 'b'.repeat(64) } }, /the text/],
    [{ firstPosition: 0 }, /the first position/],
  ] as const)
    await expect(capture({ ...options(store), ...change })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(named),
    });
  expect(
    await Promise.all(
      ['capture.json', 'tokens.arrow'].map((file) => readFile(join(store.capture('toy'), file), 'latin1')),
    ),
  ).toEqual(files);
});

test('of two captures of one name at the same time, one is refused with a message that names the other', async () => {
  const store = await newStore();
  const tries = await Promise.allSettled([capture(options(store)), capture(options(store))]);
  expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(tries.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
});

test('a damaged shard or token file is refused by name', async () => {
  const store = await newStore();
  const { hooks } = await capture(options(store));
  const path = join(store.capture('toy'), hooks[0].shards[1].file);
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await writeFile(path, bytes);
  const opened = await openCapture(store, 'toy');
  expect(() => opened.readRows(hooks[0].hook, 0, 63 * 15)).toThrow(
    /00001\.arrow' doesn't match its checksum/,
  );
  await truncate(path, 100);
  await expect(openCapture(store, 'toy')).rejects.toThrow(/00001\.arrow' has 100 bytes/);
  await writeFile(path, bytes);
  const tokens = await readFile(store.captureTokens('toy'));
  tokens[tokens.length >> 1] ^= 1;
  await writeFile(store.captureTokens('toy'), tokens);
  await expect(openCapture(store, 'toy')).rejects.toThrow(/tokens\.arrow' doesn't match its checksum/);
});

/** Of a capture with one thing in its manifest or files changed as a whole: checksums and sizes fit. */
const changedCapture = async (change: (manifest: CaptureManifest) => void, file?: Uint8Array) => {
  const store = await newStore();
  const manifest = await capture(options(store));
  if (file && manifest.tokens) {
    await writeFile(store.captureTokens('toy'), file);
    const sha256 = createHash('sha256').update(file).digest('hex');
    manifest.tokens = { ...manifest.tokens, bytes: file.length, sha256 };
  }
  change(manifest);
  await writeFile(store.captureManifest('toy'), JSON.stringify(manifest));
  return openCapture(store, 'toy');
};

test.each(['../outside.arrow', '/etc/passwd', 'hook/../../outside.arrow', 'a//b', '..', 'C:\\x.arrow'])(
  'a manifest that names the shard %s outside the folder of the capture is refused',
  async (file) => {
    const opened = changedCapture(({ hooks }) => void (hooks[0].shards[0].file = file));
    await expect(opened).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/hooks\.0\.shards\.0\.file.*in the folder of the capture/),
    });
  },
);

test('a manifest that names a shard by more letters than a file can have is refused as any other that is missing', async () => {
  const opened = changedCapture(({ hooks }) => void (hooks[0].shards[0].file = 'y'.repeat(5000)));
  await expect(opened).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('is missing: capture again'),
  });
});

test.each([
  ['more contexts in all', 64, 16],
  ['longer contexts', 63, 17],
  ['fewer contexts', 32, 16],
])('tokens of %s than the manifest says are refused, checksum or not', async (_, contexts, length) => {
  const tokens = encodeVectors('tokens', length, new Int32Array(contexts * length));
  await expect(changedCapture(() => {}, tokens)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(
      /tokens\.arrow' (is not an Arrow file of 63 vectors of 16 int32|has \d+ bytes, too few for 63 rows)/,
    ),
  });
});

test('tokens of other numbers, and a wrong length anywhere in the headers, are refused at once', async () => {
  const floats = encodeVectors('tokens', 16, new Float32Array(63 * 16));
  await expect(changedCapture(() => {}, floats)).rejects.toMatchObject({ code: 'corrupt' });
  const path = join(await mkdtemp(join(tmpdir(), 'lazyscope-vectors-')), 'vectors.arrow');
  const whole = Buffer.from(encodeVectors('tokens', 4, new Int32Array(40)));
  const expected = { rows: 10, width: 4, item: 'int32' } as const;
  const locate = () => {
    const fd = openSync(path, 'r');
    try {
      return locateVectors(fd, path, expected);
    } finally {
      closeSync(fd);
    }
  };
  const values = whole.length - 160;
  const started = performance.now();
  let refused = 0;
  for (const value of [0x7fffffff, -1, 1 << 20, -8])
    for (let at = 0; at + 4 <= whole.length; at += 4) {
      const changed = Buffer.from(whole);
      changed.writeInt32LE(value, at);
      await writeFile(path, changed);
      try {
        expect(locate()).toBeLessThanOrEqual(values);
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
        refused++;
      }
    }
  expect(refused).toBeGreaterThan(100);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test.each([
  [{ hooks: [] }, /at least one/],
  [{ hooks: ['blocks.7.hook_resid_post'] }, /has no hook point 'blocks\.7/],
  [{ hooks: ['hook_embed', 'hook_embed'] }, /twice/],
  [{ contextLength: 17 }, /2 to 16/],
  [{ firstPosition: 16 }, /leaves nothing/],
  [{ heldOutFraction: 1 }, /held-out fraction/],
  [{ maxTokens: 3 }, /don't fill one context/],
  [{ maxTokens: 16 }, /would be held out/],
  [{ text: { ...text, documents: ['abc'] } }, /doesn't fill one context/],
  [{ name: '../escape' }, /can't name a capture/],
] as [Partial<CaptureOptions>, RegExp][])(
  'bad input %o is refused before anything is written',
  async (change, message) => {
    const store = await newStore();
    const wrong = capture({ ...options(store), ...change });
    await expect(wrong).rejects.toMatchObject({ code: 'bad_input', message: expect.stringMatching(message) });
    expect(await readdir(store.root)).toEqual([]);
  },
);

test('an activation beyond float16 is refused and float32 takes it', async () => {
  const store = await newStore();
  const forward = model.forward.bind(model);
  const loud = {
    ...model,
    forward: (...args: Parameters<typeof forward>) => {
      const result = forward(...args);
      for (const [hook, activation] of result.activations) result.activations.set(hook, activation.mul(1e5));
      return result;
    },
  };
  const tooLarge = capture({ ...options(store), model: loud });
  await expect(tooLarge).rejects.toThrow(/blocks\.0\.hook_resid_post' is .* float32/);
  expect(existsSync(store.capture('toy'))).toBe(false);
  await capture({ ...options(store), model: loud, dtype: 'float32' });
});

test('an unknown capture and an unknown hook are not_found', async () => {
  const store = await newStore();
  await expect(openCapture(store, 'nothing')).rejects.toMatchObject({ code: 'not_found' });
  await capture(options(store));
  const opened = await openCapture(store, 'toy');
  expect(() => opened.width('hook_embed')).toThrow(/has no hook 'hook_embed'/);
});

test('no tensor is left behind', async () => {
  const store = await newStore();
  const before = tf.memory().numTensors;
  await capture(options(store));
  expect(tf.memory().numTensors).toBe(before);
});

const stories = '../shared/models/stories260K';
test.skipIf(!existsSync(stories))(
  'a real Llama: rows equal a forward pass of their own context (needs ../shared)',
  async () => {
    const store = await newStore();
    const { loadLanguageModel } = await import('../models/loadLanguageModel.ts');
    const llama = await loadLanguageModel(stories);
    const story =
      'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. '.repeat(
        30,
      );
    const hook = 'blocks.2.hook_resid_post';
    const real: Text = { source: 'story', documents: [story], text: story, sha256: 'c'.repeat(64) };
    await capture({
      store,
      name: 'real',
      model: llama,
      text: real,
      hooks: [hook, 'blocks.2.mlp.hook_post'],
      contextLength: 32,
      dtype: 'float32',
    });
    const opened = await openCapture(store, 'real');
    const context = 3;
    const own = tf.tensor2d(opened.tokens.subarray(context * 32, (context + 1) * 32), [1, 32], 'int32');
    const { activations } = llama.forward(own, { read: [hook], readOnly: true });
    const expected = activations.get(hook)?.dataSync() ?? [];
    const d = opened.width(hook);
    const got = opened.readRows(hook, context * 31, 31);
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[d + i], 4));
    expect(opened.tokens[context * 32]).toBe(llama.tokenizer.bosId);
  },
);

test('a text that is read as it is needed gives the capture that one in memory gives, and reading ends with the last token', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-capture-text-'));
  const path = join(folder, 'letters.jsonl.gz');
  const lines = documents.map((document) => JSON.stringify({ text: document }));
  await writeFile(path, gzipSync(lines.join('\n')));
  const store = await newStore();
  const memory = await capture({ ...options(store), name: 'memory', text: await readText(path) });
  const streamed = await capture({ ...options(store), name: 'streamed', text: await openText(path) });
  expect(streamed).toEqual({ ...memory, name: 'streamed', createdAt: streamed.createdAt });
  // What comes after the tokens that are wanted is not read: it is broken, and may change.
  const long = Array.from({ length: 800 }, () => lines.join('\n')).join('\n');
  await writeFile(join(folder, 'long.jsonl'), `${long}\nbroken`);
  const some = async () =>
    capture({
      ...options(store),
      name: 'some',
      maxTokens: 320,
      text: await openText(join(folder, 'long.jsonl')),
    });
  const first = await some();
  expect(first).toMatchObject({ contexts: 20, text: { source: 'long.jsonl' } });
  await writeFile(join(folder, 'long.jsonl'), `${long}\n`);
  expect(await some()).toEqual(first);
  await expect(
    capture({ ...options(store), name: 'all', text: await openText(path, { field: 'body' }) }),
  ).rejects.toThrow(/has no "body"/);
});
