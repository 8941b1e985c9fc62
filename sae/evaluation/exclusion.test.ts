/** Figures without the rows that are left out, against sums made the slow way. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { parseExclusionRule } from '../activations/exclusionRule.ts';
import { openCapture, type Capture } from '../activations/openCapture.ts';
import { selectRows } from '../activations/selectRows.ts';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import { sinkLanguageModel } from '../fixtures/sinkLanguageModel.ts';
import { identity, toyHook } from '../fixtures/toyDictionaries.ts';
import { toy, toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { StoreLayout } from '../store/layout.ts';
import { score } from './evaluate.ts';

const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-exclusion-')));
const documents = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 11 + ((i * 5) % 9) }, (__, j) =>
    String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26)),
  ).join(''),
);
const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
const common = { store, text, hooks: [toyHook] as const, contextLength: 16, heldOutFraction: 0.4, dtype: 'float32' } as const; // prettier-ignore
let sinks: Capture;
let plain: Capture;
const plainModel = toyLanguageModel();

beforeAll(async () => {
  await capture({ ...common, name: 'sinks', model: sinkLanguageModel(60) });
  await capture({ ...common, name: 'plain', model: plainModel });
  sinks = await openCapture(store, 'sinks');
  plain = await openCapture(store, 'plain');
});

/** Half of every coordinate is reconstructed, so that ‖x − x̂‖² = ‖x‖²/4. */
const half = () => autoencoderFrom(identity(toy.d, 0.5));
const heldOut = (from: Capture) =>
  Array.from({ length: from.heldOutRows }, (_, i) =>
    Array.from(from.readRows(toyHook, from.trainRows + i, 1)),
  );
const norm = (x: readonly number[]) => Math.hypot(...x);
function fvuOf(rows: readonly number[][]): { fvu: number; median: number } {
  const mean = rows[0].map((_, j) => rows.reduce((sum, x) => sum + x[j], 0) / rows.length);
  const spread = rows.map((x) => x.reduce((sum, value, j) => sum + (value - mean[j]) ** 2, 0));
  const errors = rows.map((x) => norm(x) ** 2 / 4);
  const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const ratios = errors.map((error, i) => error / spread[i]).sort((a, b) => a - b);
  return { fvu: total(errors) / total(spread), median: ratios[(ratios.length - 1) >> 1] };
}

test('FVU is of the rows that are kept, with the FVU of all rows and the median over tokens beside it', async () => {
  const rows = selectRows(sinks, [toyHook], parseExclusionRule('norm:10'));
  const scores = await score({ capture: sinks, rows, hook: toyHook, autoencoder: half(), model: plainModel });
  const all = heldOut(sinks);
  const left = Array.from(rows.excludedHeldOut);
  const kept = all.filter((_, i) => left[i] === 0);
  expect(kept.length).toBeLessThan(all.length);
  expect(scores.tokens).toBe(kept.length);
  expect(scores.fvu).toBeCloseTo(fvuOf(kept).fvu, 5);
  expect(scores.medianFvu).toBeCloseTo(fvuOf(kept).median, 5);
  expect(scores.exclusion).toMatchObject({ rule: 'norm:10', rows: all.length - kept.length });
  expect(scores.exclusion?.fvuWithThem).toBeCloseTo(fvuOf(all).fvu, 5);
  // The few long rows are what the FVU of all rows is about.
  expect(Math.abs(fvuOf(all).fvu - fvuOf(kept).fvu)).toBeGreaterThan(0.05);
});

test('with a limit of tokens, the rows left out are those among the same contexts', async () => {
  const rows = selectRows(sinks, [toyHook], parseExclusionRule('norm:10'));
  const options = { capture: sinks, rows, hook: toyHook, autoencoder: half(), model: plainModel } as const;
  const scores = await score({ ...options, maxTokens: 40 });
  const { context } = rows.rowToken(rows.trainRows + 39);
  const first = sinks.manifest.contexts - sinks.manifest.heldOutContexts;
  const among = rows.excludedHeldOut.subarray(0, (context + 1 - first) * sinks.rowsPerContext);
  expect(scores.tokens).toBe(40);
  expect(scores.exclusion?.rows).toBe(among.reduce((sum, out) => sum + out, 0));
});

test('rows that are left out keep their own activation when the loss is measured, and their predictions count', async () => {
  const rows = selectRows(plain, [toyHook], parseExclusionRule('position:6'));
  const scores = await score({
    capture: plain, rows, hook: toyHook, autoencoder: half(), model: plainModel, lossTokens: 48,
  }); // prettier-ignore
  const logProbabilities = (residual: number[]) => {
    const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
      residual.reduce((sum, r, j) => sum + r * Math.sin(1 + v * (j + 1)), 0),
    );
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return logits.map((logit) => logit - total);
  };
  let [clean, spliced, count] = [0, 0, 0];
  const first = plain.manifest.contexts - plain.manifest.heldOutContexts;
  for (let context = first; context < first + 3; context++)
    for (let position = 1; position < 15; position++) {
      const [token, next] = plain.tokens.subarray(context * 16 + position, context * 16 + position + 2);
      const x = Array.from({ length: toy.d }, (_, j) => (token + j) / 4 + position / 8);
      clean -= logProbabilities(x)[next];
      spliced -= logProbabilities(position < 6 ? x : x.map((value) => value / 2))[next];
      count++;
    }
  expect(scores.lossTokens).toBe(count);
  expect(scores.crossEntropy!.clean).toBeCloseTo(clean / count, 4);
  expect(scores.crossEntropy!.sae).toBeCloseTo(spliced / count, 4);
});
