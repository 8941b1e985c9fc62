/** Which features of several dictionaries fire on a text, token by token, and whether counterparts fire with them. */
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import { storedCounterparts, type ComparisonSide } from '../comparison/storedCounterparts.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { AttachedDictionary } from './attachedDictionary.ts';
import { encodeTokens, type EncodedDictionary } from './encodeTokens.ts';
import { placesOfLargest } from './nextTokens.ts';
import { shownToken } from './textTokens.ts';

/** A token and its text, with a leading space if it has one. */
export interface ShownToken {
  id: number;
  text: string;
}

/** A token that may come next. */
export interface PredictedToken extends ShownToken {
  probability: number;
}

/** A latent and its activation on a token. */
export interface Firing {
  latent: number;
  activation: number;
}

/** Where a latent fires in a text: positions ascend, and each has its activation. */
export interface Trace {
  latent: number;
  positions: number[];
  activations: number[];
}

/** What one dictionary makes of a text. */
export interface DictionaryFeatures {
  run: string;
  seed: number;
  hook: string;
  latents: number;
  /** By token: whether training left such rows out, so that nothing is said of them. */
  leftOut: boolean[];
  /** By token: how many latents fire. */
  l0: number[];
  /** By token: ‖x − x̂‖² / ‖x‖². */
  error: number[];
  /** By token: the latents that fire most, strongest first. */
  strongest: Firing[][];
  /** The latents with the largest activations in the text, strongest first, then those asked for that are not among them. */
  traces: Trace[];
  /** How many latents fire in the text. */
  firing: number;
  /** Beside the first dictionary, by the comparison of the two in the store; null for the first, and where there is none. */
  counterparts: { comparison: string; rows: CounterpartTrace[] } | null;
}

/** What the counterpart of a latent of the first dictionary does on the same text. */
export interface CounterpartTrace {
  /** The latent of the first dictionary. */
  latent: number;
  /** Null where the matching leaves it without a counterpart. */
  counterpart:
    (Trace & { decoderCosine: number | null; encoderCosine: number | null; shared: boolean }) | null;
  /** Tokens on which both fire, on which only the first dictionary's does, and on which only the counterpart does. */
  both: number;
  onlyFirst: number;
  onlySecond: number;
}

/** What a text is to a model and some dictionaries. */
export interface TextFeatures {
  model: string;
  tokens: ShownToken[];
  /** By token: the likeliest tokens after it. */
  predictions: PredictedToken[][];
  /** By token: −log p given those before it, in nats; null for the first. */
  surprisal: (number | null)[];
  dictionaries: DictionaryFeatures[];
}

export interface TextFeaturesOptions {
  store: StoreLayout;
  model: LanguageModel;
  tokens: readonly number[];
  dictionaries: readonly AttachedDictionary[];
  /** For each dictionary, the comparison in which the first one asks it for counterparts; null for none. */
  comparisons?: readonly (ComparisonSide | null)[];
  /** For each dictionary, latents to trace even where others are stronger. */
  latents?: readonly (readonly number[])[];
  /** Strongest latents a token, latents traced, next tokens a token. */
  strongest?: number;
  traced?: number;
  predictions?: number;
  signal?: AbortSignal | undefined;
}

/** Throws as `encodeTokens` does, and as the reader of a comparison does. */
export async function textFeatures(options: TextFeaturesOptions): Promise<TextFeatures> {
  const { store, model, tokens, dictionaries, signal } = options;
  const { strongest = 8, traced = 30, predictions = 5, comparisons = [], latents = [] } = options;
  const encoded = await encodeTokens({ model, tokens, dictionaries, predictions, signal });
  const shown = (id: number): ShownToken => ({ id, text: shownToken(model, id) });
  const described = dictionaries.map((dictionary, i) =>
    describe(dictionary, encoded.dictionaries[i], { strongest, traced, latents: latents[i] ?? [] }),
  );
  for (const [i, one] of described.entries()) {
    const comparison = comparisons[i];
    if (!comparison || i === 0) continue;
    const found = await storedCounterparts(store, comparison, described[0].traces.map(({ latent }) => latent)); // prettier-ignore
    const rows = described[0].traces.map((first) => {
      const other = found.get(first.latent);
      const trace = other && traceOf(encoded.dictionaries[i].code, other.latent);
      return { latent: first.latent, counterpart: other && trace ? { ...other, ...trace } : null, ...overlap(first, trace) }; // prettier-ignore
    });
    one.counterparts = { comparison: comparison.name, rows };
  }
  return {
    model: model.name,
    tokens: tokens.map(shown),
    predictions: encoded.predictions.map((likely) =>
      likely.map(({ id, probability }) => ({ ...shown(id), probability })),
    ),
    surprisal: encoded.surprisal,
    dictionaries: described,
  };
}

function describe(
  { run, seed, hook, autoencoder }: AttachedDictionary,
  { code, leftOut, error }: EncodedDictionary,
  wanted: { strongest: number; traced: number; latents: readonly number[] },
): DictionaryFeatures {
  const { rows, rowStart, indices, values } = code;
  const strongestOf = (row: number) => {
    const [from, to] = [rowStart[row], rowStart[row + 1]];
    return placesOfLargest(values.subarray(from, to), to - from, wanted.strongest).map((place) => ({
      latent: indices[from + place],
      activation: values[from + place],
    }));
  };
  const largest = new Map<number, number>();
  indices.forEach((latent, e) => largest.set(latent, Math.max(largest.get(latent) ?? 0, values[e])));
  const ranked = [...largest].sort(([i, a], [j, b]) => b - a || i - j).map(([latent]) => latent);
  const traced = new Set([...ranked.slice(0, wanted.traced), ...wanted.latents]);
  return {
    run,
    seed,
    hook,
    latents: autoencoder.latents,
    leftOut: Array.from({ length: rows }, (_, row) => leftOut?.[row] === 1),
    l0: Array.from({ length: rows }, (_, row) => rowStart[row + 1] - rowStart[row]),
    error: [...error],
    strongest: Array.from({ length: rows }, (_, row) => strongestOf(row)),
    traces: [...traced].map((latent) => traceOf(code, latent)),
    firing: largest.size,
    counterparts: null,
  };
}

/** A latent's firings in a code. */
export function traceOf({ rows, rowStart, indices, values }: SparseCode, latent: number): Trace {
  const trace: Trace = { latent, positions: [], activations: [] };
  for (let row = 0; row < rows; row++)
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++)
      if (indices[e] === latent) {
        trace.positions.push(row);
        trace.activations.push(values[e]);
      }
  return trace;
}

function overlap(first: Trace, second: Trace | undefined) {
  const there = new Set(second?.positions);
  const both = first.positions.filter((position) => there.has(position)).length;
  return { both, onlyFirst: first.positions.length - both, onlySecond: there.size - both };
}
