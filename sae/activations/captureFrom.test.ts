/** The fixtures are written by PyArrow, datasets, safetensors and NumPy (scripts/peers/activationFixtures.py), whose docstring has the formula. */
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { openActivations } from '../formats/activations/openActivations.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import { StoreLayout } from '../store/layout.ts';
import { activationRows } from './activationRows.ts';
import { captureFrom, type CaptureFromOptions } from './captureFrom.ts';
import { openCapture, type Capture } from './openCapture.ts';
import { Stratified } from './stratified.ts';

const fixture = (name: string) => join(import.meta.dirname, '../formats/fixtures/activations', name);
const hook: HookPoint = 'blocks.1.hook_resid_post';
const [contexts, positions, width] = [20, 6, 8];
const activation = (c: number, p: number, j: number) => (((31 * c + 7 * p + 3 * j) % 17) - 8) / 8;
const token = (c: number, p: number) => (5 * (positions * c + p)) % 97;

let root: string;
let store: StoreLayout;
beforeAll(async () => {
  await startBackend('cpu');
  root = mkdtempSync(join(tmpdir(), 'capture-from-'));
  store = new StoreLayout(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
async function captured(paths: string[], options: Partial<CaptureFromOptions> = {}) {
  const name = `made-${made++}`;
  const input = createReadStream(fixture('rows.arrows'), { highWaterMark: 100 });
  const files = await openActivations(paths, input);
  const given = { heldOutFraction: 0.25, dtype: 'float32' as const, shardBytes: 800, ...options };
  const result = await captureFrom({ store, name, files, hooks: [hook], ...given });
  return { ...result, name, capture: await openCapture(store, name) };
}

/** Groups of `number` things in their order, those first that are not chosen to be held out. */
function inOrder(number: number, share: number): number[] {
  const chosen = new Stratified(share);
  const isHeldOut = Array.from({ length: number }, () => chosen.next());
  const all = [...isHeldOut.keys()];
  return [...all.filter((i) => !isHeldOut[i]), ...all.filter((i) => isHeldOut[i])];
}

function expectContexts(capture: Capture): void {
  const order = inOrder(contexts, 0.25);
  expect(capture.manifest).toMatchObject({ contexts, contextLength: positions, heldOutContexts: 5 });
  expect(Array.from(capture.tokens)).toEqual(
    order.flatMap((c) => Array.from({ length: positions }, (_, p) => token(c, p))),
  );
  expect(Array.from(capture.readRows(hook, 0, contexts * positions))).toEqual(
    order.flatMap((c) =>
      Array.from({ length: positions * width }, (_, i) => activation(c, Math.floor(i / width), i % width)),
    ),
  );
}

describe('every kind of file has the same numbers and tokens in it', () => {
  test.each([
    ['contexts.safetensors', 'half floats, an array of the hook point’s name'],
    ['rows.safetensors', 'rows, whose contexts the tokens beside them give'],
    ['contexts.npz', 'tokens of 16 bits'],
    ['compressed.npz', 'deflated'],
    ['contexts.arrow', 'lists of fixed length in several record batches'],
    ['contexts.parquet', 'lists of lists'],
    ['saelens', 'a folder of Hugging Face datasets in three files, as SAELens caches activations'],
  ])('%s: %s', async (name) => {
    const { capture } = await captured([fixture(name)]);
    expectContexts(capture);
    capture.close();
  });

  test.each([
    ['rows.arrows', 'lists without fixed length, under dictionary_learning’s name of the hook'],
    ['compressed.arrow', 'buffers compressed with zstd'],
    ['compressed.lz4.arrow', 'buffers compressed with LZ4, as Feather has them by default'],
    ['rows.parquet', 'lists in three row groups'],
    ['-', 'the stream on standard input, in pieces of 100 bytes'],
  ])('%s: %s, joined to contexts', async (name) => {
    const path = name === '-' ? name : fixture(name);
    const { capture, leftOver } = await captured([path], { contextLength: positions });
    expectContexts(capture);
    expect(leftOver).toBe(0);
    capture.close();
  });

  test('rows.npy: rows without tokens, each a context of one position', async () => {
    const { capture } = await captured([fixture('rows.npy')]);
    const order = inOrder(contexts * positions, 0.25);
    expect(capture.manifest).toMatchObject({
      contexts: 120,
      contextLength: 1,
      heldOutContexts: 30,
      tokens: null,
    });
    expect(capture.manifest.imported).toEqual({ source: 'rows.npy', model: false, tokens: false });
    expect(new Set(capture.tokens)).toEqual(new Set([-1]));
    expect(Array.from(capture.readRows(hook, 0, 120))).toEqual(
      order.flatMap((row) =>
        Array.from({ length: width }, (_, j) => activation(Math.floor(row / positions), row % positions, j)),
      ),
    );
    capture.close();
  });
});

test('files are joined in the order in which they are given; rows at the end that fill no context are counted', async () => {
  const both = await captured([fixture('rows.npy'), fixture('rows.npy')], { contextLength: 50 });
  expect(both.manifest.contexts).toBe(4);
  expect(both.leftOver).toBe(40);
  both.capture.close();
});

test('the first positions are left out, their tokens are kept', async () => {
  const { capture } = await captured([fixture('contexts.npz')], { firstPosition: 2 });
  const [first] = inOrder(contexts, 0.25);
  expect(capture.rowsPerContext).toBe(4);
  expect(Array.from(capture.readRows(hook, 0, 1))).toEqual(
    Array.from({ length: width }, (_, j) => activation(first, 2, j)),
  );
  expect(capture.tokens[0]).toBe(token(first, 0));
  capture.close();
});

describe('what is not clear or not whole is refused, and nothing is left of it', () => {
  const damaged = () => {
    const path = join(root, 'nan.safetensors');
    const data = new Float32Array(80).fill(1);
    data[37] = NaN;
    return writeSafetensors(path, { acts: { shape: [10, 8], data } }).then(() => path);
  };
  test.each<[string, () => string | Promise<string>, Partial<CaptureFromOptions>, RegExp]>([
    ['a stream that was cut', () => fixture('cut.arrows'), {}, /cut short or its writer was not closed/],
    [
      'a latent cache of delphi',
      async () => {
        const path = join(root, 'latents.safetensors');
        await writeSafetensors(path, {
          locations: { shape: [2, 3], data: Int32Array.of(0, 1, 5, 0, 2, 7) },
          activations: { shape: [2], data: Float32Array.of(1, 2) },
          tokens: { shape: [1, 4], data: Int32Array.of(1, 2, 3, 4) },
        });
        return path;
      },
      {},
      /latent cache .*'lazyscope import'/,
    ],
    ['rows of two lengths', () => fixture('ragged.parquet'), {}, /lists of 7 and of 8 values/],
    ['columns of Fortran', () => fixture('columns.npy'), {}, /ascontiguousarray/],
    [
      'another hook point',
      () => fixture('contexts.parquet'),
      { hooks: ['blocks.0.hook_resid_pre'] },
      /--column/,
    ],
    ['a column that is not there', () => fixture('rows.npy'), { column: 'x' }, /'x' is no column of vectors/],
    [
      'contexts of another length',
      () => fixture('contexts.npz'),
      { contextLength: 5 },
      /have 6 positions, not 5/,
    ],
    ['a number that is none', damaged, {}, /An activation at .* is NaN/],
    ['too few contexts', () => fixture('rows.npy'), { contextLength: 100 }, /has 1 contexts, of which/],
    [
      'a text',
      () => (writeFileSync(join(root, 'a.txt'), 'some words and more'), join(root, 'a.txt')),
      {},
      /none of the files/,
    ],
  ])('%s', async (_, path, options, message) => {
    const before = made;
    await expect(captured([await path()], options)).rejects.toThrow(message);
    expect(existsSync(store.captureManifest(`made-${before}`))).toBe(false);
    expect(existsSync(store.captureHook(`made-${before}`, hook))).toBe(false);
  });

  test('no stream of Arrow on standard input', async () => {
    async function* words() {
      yield Buffer.from('not Arrow');
    }
    const [open] = (await openActivations(['-'], words())).open;
    await expect(open()).rejects.toThrow(/no stream of Arrow/);
  });
});

describe('with the model that computed them', () => {
  const model = toyLanguageModel();
  const point: HookPoint = 'blocks.0.mlp.hook_post';
  const length = 16;

  async function file(name: string, scale = 1) {
    const tokens = Int32Array.from({ length: 12 * length }, (_, i) => (i * i + 3 * i) % 26);
    const d = model.width(point);
    const data = new Float32Array(tokens.length * d);
    await activationRows(
      { model, hooks: [point], tokens, contextLength: length, firstPosition: 0 },
      (_, rows, c) => data.set(rows, c * length * d),
    );
    const path = join(root, name);
    await writeSafetensors(path, {
      activations: {
        shape: [12, length, d],
        data: data.map((value, i) => (i % d === 0 ? scale * value : value)),
      },
      tokens: { shape: [12, length], data: tokens },
    });
    return path;
  }

  test('the capture is of the model', async () => {
    const { capture } = await captured([await file('own.safetensors')], { model, hooks: [point] });
    expect(capture.manifest.model.name).toBe(model.name);
    expect(capture.manifest.imported).toMatchObject({ model: true, tokens: true });
    expect(existsSync(store.vocabulary(capture.manifest.model.sha256))).toBe(true);
    capture.close();
  });

  test('activations that it does not compute are refused', async () => {
    await expect(captured([await file('other.safetensors', 50)], { model, hooks: [point] })).rejects.toThrow(
      /are not those of .* at 'blocks.0.mlp.hook_post' on the tokens beside them/,
    );
  });

  test('without tokens nothing can be checked or measured', async () => {
    await expect(captured([fixture('rows.npy')], { model, hooks: [point] })).rejects.toThrow(/has no tokens/);
  });
});

test('one out of each 1/share of them is chosen', () => {
  for (const share of [0.1, 0.25, 0.3, 0.9]) {
    const chosen = new Stratified(share);
    let count = 0;
    for (let i = 1; i <= 1000; i++) {
      if (chosen.next()) count++;
      expect(Math.abs(count - i * share)).toBeLessThanOrEqual(1);
    }
  }
  expect(new Stratified(0).next()).toBe(false);
});
