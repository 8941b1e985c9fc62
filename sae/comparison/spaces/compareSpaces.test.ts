import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capture } from '../../activations/capture.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { parseExclusionRule } from '../../activations/exclusionRule.ts';
import { selectRows } from '../../activations/selectRows.ts';
import { writeDictionary } from '../../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../../fixtures/exampleConfig.ts';
import { toyLanguageModel } from '../../fixtures/toyLanguageModel.ts';
import type { HookPoint } from '../../models/hookPoints.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { Random } from '../../numerics/random.ts';
import type { RunManifest } from '../../spec/manifests/run.ts';
import { spacesKind } from '../../spec/manifests/spaces.ts';
import { writeJsonAtomic } from '../../store/atomicWrite.ts';
import { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { alignRows } from './alignRows.ts';
import { compareSpaces } from './compareSpaces.ts';

const residual = 'blocks.0.hook_resid_post';
const mlp = 'blocks.0.mlp.hook_post';
const latents = 80;
let store: StoreLayout;
const model = toyLanguageModel();
/** The same model with a vocabulary in which pairs of letters are tokens where they can be; single letters are tokens too. */
const pairing: LanguageModel = { ...model, name: 'pairs', tokenizer: pairTokenizer() };

function pairTokenizer(): Tokenizer {
  const code = (c: string) => c.charCodeAt(0) - 96;
  // 1–26 letters as in the toy, but its embedding has 27 rows: a pair has the id of its first letter's mirror image.
  const pairs = new Map<string, number>([['ab', 5], ['cd', 6]]); // prettier-ignore
  const names = new Map([...pairs].map(([text, id]) => [id, text]));
  return {
    vocabularySize: 27,
    eosId: 0,
    encode(text) {
      const letters = text.toLowerCase().replaceAll(/[^a-z]/g, '');
      const ids: number[] = [];
      for (let at = 0; at < letters.length; at++) {
        const id = pairs.get(letters.slice(at, at + 2));
        ids.push(id ?? code(letters[at]));
        if (id !== undefined) at++;
      }
      return ids;
    },
    decode: (ids) => Array.from(ids, (id) => names.get(id) ?? String.fromCharCode(96 + id)).join(''),
    // White space in front, as many tokenizers put it.
    tokenText: (id) => ` ${id === 0 ? '' : (names.get(id) ?? String.fromCharCode(96 + id))}`,
  };
}

// The letters e and f do not occur, so that their ids are free for pairs.
const alphabet = 'abcdghijk';
const documents = Array.from({ length: 80 }, (_, i) => {
  const random = Random.fromSeed(i, 'letters');
  return Array.from({ length: 23 }, () => alphabet[random.below(alphabet.length)]).join('');
});
const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };

async function makeRun(
  name: string,
  of: string,
  hook: HookPoint,
  weights: { wEnc: Float32Array; wDec: Float32Array; bEnc: Float32Array },
): Promise<void> {
  const d = weights.wDec.length / latents;
  const run: RunManifest = {
    version: 1,
    name,
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config: { ...exampleConfig('relu'), capture: of, hook, width: latents, seeds: [0] },
    d,
    scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 },
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest(name), run);
  await writeDictionary(
    store.dictionary(name, 0),
    { ...weights, bDec: new Float32Array(d), threshold: null },
    { architecture: 'relu', hook, model: 'toy', run: name, seed: 0, scale: 1, k: null },
  );
}

/**
 * The toy's activations are r_j = s + j/4 with one number s a token, between 0 and 5 here: each latent fires above or below an s of its own, so that
 * no two fire alike.
 */
function weights(stream: string, signs: readonly number[]) {
  const random = Random.fromSeed(3, stream);
  const d = signs.length;
  const made = {
    wEnc: random.normals(latents * d),
    wDec: random.normals(latents * d),
    bEnc: new Float32Array(latents),
  };
  for (let i = 0; i < latents; i++) {
    const at = 0.5 + 4 * random.uniform();
    for (let k = 0; k < d; k++) made.bEnc[i] -= made.wEnc[i * d + k] * signs[k] * (at + (k % 4) / 4);
  }
  return made;
}

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'spaces-')));
  const hooks = [residual, mlp] as const;
  const common = { store, text, contextLength: 16, heldOutFraction: 0.4 };
  await capture({ ...common, name: 'toy', model, hooks: [...hooks] });
  await capture({ ...common, name: 'pairs', model: pairing, hooks: [residual] });
  const other = {
    ...text,
    source: 'other letters',
    sha256: 'b'.repeat(64),
    documents: documents.map((one) => `${one}a`),
  };
  await capture({ ...common, name: 'other', text: other, model, hooks: [residual] });
  const planted = weights('planted', [1, 1, 1, 1]);
  await makeRun('small', 'toy', residual, planted);
  // m = (r, −r): its latents read and write (w, −w)/2 and (w, −w), so that they fire alike in a space twice as wide, where angles are the same.
  const doubled = (rows: Float32Array, factor: number) => {
    const out = new Float32Array(rows.length * 2);
    for (let i = 0; i < latents; i++)
      for (let k = 0; k < 4; k++) {
        out[i * 8 + k] = factor * rows[i * 4 + k];
        out[i * 8 + 4 + k] = -factor * rows[i * 4 + k];
      }
    return out;
  };
  await makeRun('wide', 'toy', mlp, {
    ...planted,
    wEnc: doubled(planted.wEnc, 0.5),
    wDec: doubled(planted.wDec, 1),
  });
  await makeRun('unrelated', 'toy', mlp, weights('unrelated', [1, 1, 1, 1, -1, -1, -1, -1]));
  await makeRun('of-pairs', 'pairs', residual, planted);
  await makeRun('of-another', 'other', residual, planted);
});
afterAll(async () => {
  model.dispose();
  await rm(model.folder, { recursive: true });
  await rm(store.root, { recursive: true });
});

const tokenizerOf = (name: string) =>
  Promise.resolve<Tokenizer | null>(name === 'pairs' ? pairing.tokenizer : model.tokenizer);
const compared = (b: string, more = {}) =>
  compareSpaces({
    store,
    a: { run: 'small', seed: 0 },
    b: { run: b, seed: 0 },
    tokenizerOf,
    maxTokens: 400,
    leastCorrelation: 0,
    draws: 39,
    ...more,
  });

test('the same latents in a wider space are paired and found alike; unrelated rows are not', async () => {
  const same = await compared('wide');
  expect(same.aligned).toBe('tokens');
  expect(same.tokens).toBe(400);
  expect(same.correlation.median).toBeCloseTo(1, 4);
  expect(same.pairs).toBeGreaterThan(20);
  expect(same.svcca.value).toBeGreaterThan(0.9);
  expect(same.svcca.p).toBe(1 / 40);
  expect(same.rsa.value).toBeGreaterThan(0.9);
  expect(same.rsa.p).toBe(1 / 40);
  const stored = await readManifest(store.spacesReport(same.name), spacesKind);
  expect(stored).toEqual(same);
  expect([same.a.run, same.b.run].join()).toContain('wide');
  const unlike = await compared('unrelated');
  expect(unlike.rsa.value!).toBeLessThan(0.3);
  expect(unlike.svcca.value!).toBeLessThan(0.8);
  expect(unlike.svcca.chance!).toBeLessThan(same.svcca.value! - 0.2);
});

test('a pair must reach the least correlation', async () => {
  const all = await compared('unrelated');
  const some = await compared('unrelated', { leastCorrelation: all.correlation.median! });
  expect(some.pairs).toBeLessThan(all.pairs);
  await expect(compared('unrelated', { leastCorrelation: 1 })).rejects.toThrow(/go together/);
});

describe('places of the text', () => {
  const sideOf = async (name: string, tokenizer: Tokenizer | null) => {
    const opened = await openCapture(store, name);
    return { name, rows: selectRows(opened, [residual], parseExclusionRule('none')), tokenizer };
  };

  test('of two vocabularies are those at which a token of each ends', async () => {
    const [a, b] = [await sideOf('toy', model.tokenizer), await sideOf('pairs', pairing.tokenizer)];
    const aligned = alignRows(a, b);
    expect(aligned.by).toBe('text');
    expect(aligned.a.length).toBeGreaterThan(60);
    expect(aligned.b).toHaveLength(aligned.a.length);
    // What both have read of their contexts up to there ends alike, and a pair of letters never ends in its middle.
    const read = ({ rows, tokenizer }: typeof a, row: number) => {
      const { context, position } = rows.rowToken(row);
      const from = context * rows.manifest.contextLength;
      const ids = [...rows.tokens.subarray(from, from + position + 1)].filter((id) => id !== 0);
      return ids.map((id) => tokenizer!.tokenText(id).trim()).join('');
    };
    let long = 0;
    aligned.a.forEach((row, at) => {
      const [one, other] = [read(a, row), read(b, aligned.b[at])];
      const common = Math.min(one.length, other.length);
      if (common > 5) long++;
      expect(one.slice(-common)).toBe(other.slice(-common));
    });
    expect(long).toBeGreaterThan(20);
    // With one number a token and another position each, hardly two latents are each other's nearest.
    await expect(compared('of-pairs')).rejects.toThrow(/go together on \d{3} places/);
  });

  test('of other texts, of unknown tokenizers and of tokens that change the text are refused', async () => {
    await expect(compared('of-another')).rejects.toThrow(/different texts/);
    const [whole, part] = [await sideOf('toy', model.tokenizer), await sideOf('other', model.tokenizer)];
    Object.assign(part.rows.manifest.text, { source: 'letters' });
    expect(() => alignRows(whole, part)).toThrow(
      /have read different parts of 'letters' \(\d+ contexts of \d+ tokens, and \d+ contexts of \d+ tokens\)/,
    );
    const [a, b] = [await sideOf('toy', model.tokenizer), await sideOf('pairs', null)];
    expect(() => alignRows(a, b)).toThrow(/tokenizer of capture 'pairs' isn't known/);
    const changing = { ...pairTokenizer(), tokenText: (id: number) => (id === 0 ? '' : 'x') };
    const changed = await sideOf('pairs', changing);
    expect(() => alignRows(a, changed)).toThrow(/spell the text differently from character 0/);
  });
});

test('nothing is compared with too few pairings', async () => {
  await expect(compared('wide', { draws: 5 })).rejects.toThrow(/at least 19/);
});
