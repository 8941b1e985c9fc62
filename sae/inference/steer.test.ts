import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { decodeMixed, encodeBoth } from '../comparison/functionalSwap.ts';
import { latents, neurons, openInferenceStore, residual } from '../fixtures/inferenceStore.ts';
import type { InferenceStore } from '../fixtures/inferenceStore.ts';
import { continueTokens } from '../models/continueTokens.ts';
import type { ForwardOptions, LanguageModel } from '../models/languageModel.ts';
import type { StoreLayout } from '../store/layout.ts';
import { tf, type Tensor, type Tensor2D } from '../tensor/tf.ts';
import type { AttachedDictionary } from './attachedDictionary.ts';
import type { Intervention } from './intervention.ts';
import { replacements, steer, type SteerEvent, type SteeringVariant } from './steer.ts';
import { textFeatures } from './textFeatures.ts';
import { textTokens } from './textTokens.ts';

let on: InferenceStore;
let store: StoreLayout;
let model: LanguageModel;
beforeAll(async () => {
  await startBackend('auto');
  on = await openInferenceStore();
  ({ store, model } = on);
}, 120_000);
afterAll(() => on?.close());

const attach = (run: string, seed = 0) => on.attach(run, seed);
const prompt = 'The whale, like all things that are mighty,';
const tokensOf = (text: string) => textTokens(model, text, undefined);
const alone: SteeringVariant = { steered: [], keepsError: true };

/** The definition of x′, on plain numbers: a row of x, its code, what is done. */
function definedRow(
  { autoencoder }: AttachedDictionary,
  x: number[],
  interventions: readonly Intervention[],
  keepsError: boolean,
): number[] {
  const row = tf.tensor2d([x]);
  const code = autoencoder.encode(row);
  row.dispose();
  const f = new Map(Array.from(code.indices, (latent, e) => [latent, code.values[e]] as const));
  const { wDec, bDec, d } = autoencoder;
  const reconstruction = x.map((_, j) =>
    [...f].reduce((sum, [i, value]) => sum + value * wDec[i * d + j], bDec[j]),
  );
  const change = interventions.map(({ latent, kind, value }) => {
    const own = f.get(latent) ?? 0;
    return { add: value, clamp: value - own, ablate: -own }[kind];
  });
  return (keepsError ? x : reconstruction).map((base, j) =>
    interventions.reduce((sum, { latent }, i) => sum + change[i] * wDec[latent * d + j], base),
  );
}

async function eventsOf(variants: SteeringVariant[], more: Partial<Parameters<typeof steer>[0]> = {}) {
  const events: SteerEvent[] = [];
  const options = {
    model, tokens: tokensOf(prompt), variants, maxNewTokens: 12, greedy: true, samples: 2,
    sampling: { temperature: 0.9, topK: 50 }, seed: 4, ...more,
  }; // prettier-ignore
  for await (const event of steer(options)) events.push(event);
  const start = events.find((event) => event.type === 'start')!;
  const rows = start.rows.map((row, at) => ({
    ...row,
    ids: events.flatMap((event) => event.type === 'tokens' ? event.tokens.filter((token) => token.row === at).map(({ id }) => id) : []),
    text: events.flatMap((event) => event.type === 'tokens' ? event.tokens.filter((token) => token.row === at).map(({ text }) => text) : []).join(''),
  })); // prettier-ignore
  return { events, rows, next: events.find((event) => event.type === 'next')! };
}

const firing = async (dictionary: AttachedDictionary) => {
  const { dictionaries } = await textFeatures({
    store,
    model,
    tokens: tokensOf(prompt),
    dictionaries: [dictionary],
  });
  return dictionaries[0].traces.map(({ latent }) => latent);
};

describe('steering', () => {
  test.each([
    ['topk', true],
    ['relu', true],
    ['jumprelu', true],
    ['neurons', true],
    ['topk', false],
    ['jumprelu', false],
  ] as const)(
    // prettier-ignore
    'puts x + Δ at the hook, or x̂ + Δ, as it is defined: %s, error kept %s',
    async (run, keepsError) => {
      const dictionary = await attach(run);
      const [first, second, third] = await firing(dictionary);
      const interventions: Intervention[] = [
        { latent: first, kind: 'ablate', value: 0 },
        { latent: second, kind: 'clamp', value: 2.5 },
        { latent: third, kind: 'add', value: -1.5 },
      ];
      const variants = [alone, { steered: [{ dictionary, interventions }], keepsError }];
      const tokens = tokensOf(prompt);
      const { hook } = dictionary;
      const input = tf.tensor2d([tokens, tokens, tokens], undefined, 'int32');
      const plain = model.forward(input, { read: [hook], readOnly: true });
      const x = plain.activations.get(hook)!.arraySync() as number[][][];
      const steered = model.forward(input, {
        read: [hook], readOnly: true, replace: replacements(variants, [0, 0, 1], 0, [tokens, tokens, tokens]),
      }); // prettier-ignore
      const there = steered.activations.get(hook)!.arraySync() as number[][][];
      expect(there[0]).toEqual(x[0]);
      expect(there[1]).toEqual(x[1]);
      there[2].forEach((row, position) => {
        const expected =
          position === 0 ? x[2][0] : definedRow(dictionary, x[2][position], interventions, keepsError);
        row.forEach((value, j) => expect(value).toBeCloseTo(expected[j], 4));
      });
      expect(there[2][3]).not.toEqual(x[2][3]);
      tf.dispose([input, ...plain.activations.values(), ...steered.activations.values()]);
    },
  );

  test('with Δ = 0 says what the model says, greedily and in draws, to the token', async () => {
    const dictionary = await attach('topk');
    const [latent] = await firing(dictionary);
    const nothing: SteeringVariant = { steered: [{ dictionary, interventions: [{ latent, kind: 'add', value: 0 }] }], keepsError: true }; // prettier-ignore
    const before = tf.memory().numTensors;
    const { rows, next } = await eventsOf([alone, nothing]);
    expect(tf.memory().numTensors, 'no tensor is left behind').toBe(before);
    expect(rows.map(({ variant, sample }) => [variant, sample])).toEqual([[0, null], [0, 0], [0, 1], [1, null], [1, 0], [1, 1]]); // prettier-ignore
    for (const i of [0, 1, 2]) expect(rows[i + 3].ids).toEqual(rows[i].ids);
    expect(new Set(rows.map(({ text }) => text)).size).toBe(3);
    expect(next.divergence).toEqual([0, 0]);
    // The greedy one is what the model itself generates.
    const own: number[] = [];
    for await (const { chosen } of continueTokens(model, tokensOf(prompt), {
      rows: [{ variant: 0, sampling: { temperature: 0 }, seed: 0 }],
      maxNewTokens: 12,
    }))
      own.push(...chosen.map(({ token }) => token));
    expect(rows[0].ids).toEqual(own);
  });

  test('goes on as whole forward passes with the intervention written by hand would', async () => {
    const dictionary = await attach('relu');
    const interventions: Intervention[] = [
      { latent: 3, kind: 'clamp', value: 6 },
      { latent: (await firing(dictionary))[0], kind: 'ablate', value: 0 },
    ];
    const { rows, next } = await eventsOf([alone, { steered: [{ dictionary, interventions }], keepsError: true }], { samples: 0 }); // prettier-ignore
    const byHand: ForwardOptions['replace'] = {
      [dictionary.hook]: (x: Tensor) =>
        tf.tensor3d([
          (x.arraySync() as number[][][])[0].map((row, position) =>
            position === 0 ? row : definedRow(dictionary, row, interventions, true),
          ),
        ]),
    };
    const whole = tokensOf(prompt);
    const logitsOf = (replace: ForwardOptions['replace']) =>
      tf.tidy(() => {
        const { logits } = model.forward(tf.tensor2d([whole], undefined, 'int32'), { replace });
        return logits!.slice([0, whole.length - 1, 0], [1, 1, -1]).flatten() as Tensor;
      });
    const [clean, changed] = [logitsOf({}), logitsOf(byHand)];
    const kl = tf.tidy(() => {
      const [p, q] = [tf.logSoftmax(clean), tf.logSoftmax(changed)];
      return p.exp().mul(p.sub(q)).sum().dataSync()[0];
    });
    expect(next.divergence[1]).toBeCloseTo(kl, 4);
    expect(kl).toBeGreaterThan(0.01);
    tf.dispose([clean, changed]);
    for (let made = 0; made < 8; made++) {
      const logits = logitsOf(byHand);
      whole.push(tf.tidy(() => logits.argMax().dataSync()[0]));
      logits.dispose();
    }
    expect(rows[1].ids.slice(0, 8)).toEqual(whole.slice(-8));
    expect(rows[0].ids).not.toEqual(rows[1].ids);
  });

  test('ablation in the reconstruction is what the functional swap silences', async () => {
    const dictionary = await attach('jumprelu');
    const silenced = (await firing(dictionary)).slice(0, 4);
    const interventions = silenced.map((latent): Intervention => ({ latent, kind: 'ablate', value: 0 }));
    const tokens = tokensOf(prompt);
    const replace = replacements([{ steered: [{ dictionary, interventions }], keepsError: false }], [0], 0, [tokens])!; // prettier-ignore
    const input = tf.tensor2d([tokens], undefined, 'int32');
    const { activations } = model.forward(input, { read: [residual], readOnly: true });
    const x = activations.get(residual)!;
    const steered = replace[residual]!(x).reshape<Tensor2D>([tokens.length, -1]);
    const { autoencoder } = dictionary;
    const rows = x.reshape<Tensor2D>([tokens.length, -1]);
    const keeps = new Uint8Array(latents).fill(1);
    for (const latent of silenced) keeps[latent] = 0;
    const codes = encodeBoth(autoencoder, autoencoder, rows);
    const swapped = decodeMixed(autoencoder, autoencoder, codes, { keeps, takes: new Uint8Array(latents) });
    const [own, expected] = [await steered.array(), await swapped.array()];
    for (let position = 1; position < tokens.length; position++)
      own[position].forEach((value, j) => expect(value).toBeCloseTo(expected[position][j], 4));
    tf.dispose([input, x, steered, rows, swapped]);
  });

  test('two dictionaries at two layers act together', async () => {
    const [low, high] = [await attach('topk'), await attach('neurons')];
    const tokens = tokensOf(prompt);
    const interventions: Intervention[] = [{ latent: 2, kind: 'clamp', value: 3 }];
    const both = {
      steered: [low, high].map((dictionary) => ({ dictionary, interventions })),
      keepsError: true,
    };
    expect(Object.keys(replacements([both], [0], 0, [tokens])!)).toEqual([residual, neurons]);
    const { next } = await eventsOf([alone, both, { ...both, steered: both.steered.slice(0, 1) }], {
      samples: 0,
    });
    expect(next.divergence[1]).not.toBeCloseTo(next.divergence[2], 5);
  });

  test('what can not be is refused: an unknown latent, one named twice, two reconstructions at one hook', async () => {
    const dictionary = await attach('topk');
    const refused = async (interventions: Intervention[], message: RegExp) =>
      expect(eventsOf([alone, { steered: [{ dictionary, interventions }], keepsError: true }])).rejects.toMatchObject({ code: 'bad_input', message: expect.stringMatching(message) }); // prettier-ignore
    await refused(
      [{ latent: latents, kind: 'ablate', value: 0 }],
      /Seed 0 of 'topk' has no latent 96: it has 96/,
    );
    await refused([{ latent: 1, kind: 'add', value: 1 }, { latent: 1, kind: 'ablate', value: 0 }], /Latent 1 .* twice/); // prettier-ignore
    await refused([{ latent: 1, kind: 'add', value: NaN }], /NaN/);
    const steered = [
      { dictionary, interventions: [] },
      { dictionary: await attach('relu'), interventions: [] },
    ];
    await expect(eventsOf([alone, { steered, keepsError: false }])).rejects.toThrow(
      /only one can take its place/,
    );
  });

  test('stops when it is told to', async () => {
    const stopping = new AbortController();
    const steps = steer({
      model, tokens: tokensOf(prompt), variants: [alone], maxNewTokens: 100, greedy: true, samples: 0,
      sampling: { temperature: 0 }, seed: 0, signal: stopping.signal,
    }); // prettier-ignore
    const read = async () => {
      let seen = 0;
      for await (const { type } of steps) if (type === 'tokens' && ++seen === 3) stopping.abort();
    };
    const before = tf.memory().numTensors;
    await expect(read()).rejects.toMatchObject({ code: 'cancelled' });
    expect(tf.memory().numTensors).toBe(before);
  });
});
