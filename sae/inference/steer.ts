/** What a model says next, and goes on to say, with features of dictionaries turned up, held or switched off, and without. */
import { LazyscopeError } from '../errors.ts';
import type { ForwardOptions, LanguageModel } from '../models/languageModel.ts';
import { continueTokens, type ContinuationRow, type Stopped } from '../models/continueTokens.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { Sampling } from '../models/sampleToken.ts';
import { TextStream } from '../models/textStream.ts';
import { tf, type Tensor, type Tensor2D } from '../tensor/tf.ts';
import { leftOutRows, type AttachedDictionary } from './attachedDictionary.ts';
import { checkInterventions, reconstructionOf, steeringChange, type Intervention } from './intervention.ts';
import { klDivergence, likeliest, logSumExp } from './nextTokens.ts';
import { shownToken } from './textTokens.ts';
import type { ShownToken } from './textFeatures.ts';

/** What is done to one dictionary's latents. */
export interface SteeredDictionary {
  dictionary: AttachedDictionary;
  interventions: readonly Intervention[];
}

/** One way in which the model is run; with no dictionary it is left alone. */
export interface SteeringVariant {
  steered: readonly SteeredDictionary[];
  /** False puts x̂ + Δ in place of x + Δ. */
  keepsError: boolean;
}

export interface SteerOptions {
  model: LanguageModel;
  tokens: readonly number[];
  /** The first is what the others' distributions are compared with. */
  variants: readonly SteeringVariant[];
  maxNewTokens: number;
  /** Whether each variant goes on greedily, and how many draws it makes. Draw n of all variants uses the same random numbers. */
  greedy: boolean;
  samples: number;
  sampling: Sampling;
  seed: number;
  /** How many of the likeliest next tokens of each variant are compared. */
  compared?: number;
  signal?: AbortSignal | undefined;
}

/** A continuation that is streamed: of which variant, and which draw; null for the greedy one. */
export interface SteeredRow {
  variant: number;
  sample: number | null;
}

/** What steering has to say, in this order: the start, the next token, the tokens one by one, the end. */
export type SteerEvent =
  | { type: 'start'; prompt: ShownToken[]; rows: SteeredRow[] }
  | {
      type: 'next';
      /** The likeliest next tokens of any variant with the probability that each variant gives them, by the first one's. */
      tokens: (ShownToken & { probabilities: number[] })[];
      /** By variant, KL(first ‖ variant) in nats. */
      divergence: number[];
    }
  | {
      type: 'tokens';
      /** `text` is what the token completes: empty while a character is not whole. */
      tokens: { row: number; id: number; text: string }[];
      ended: { row: number; stopped: Stopped }[];
    }
  | { type: 'end'; newTokens: number; firstTokenSeconds: number; seconds: number };

/** Throws as `continueTokens` does, and `bad_input` when a reconstruction of two dictionaries at one hook point is asked for. */
export async function* steer(options: SteerOptions): AsyncGenerator<SteerEvent, void> {
  const { model, tokens, variants, sampling, seed, signal } = options;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  for (const variant of variants) checkVariant(variant);
  const rows = variants.flatMap((_, variant) => [
    ...(options.greedy ? [{ variant, sample: null }] : []),
    ...Array.from({ length: options.samples }, (__, sample) => ({ variant, sample })),
  ]);
  const shown = (id: number): ShownToken => ({ id, text: shownToken(model, id) });
  yield { type: 'start', prompt: tokens.map(shown), rows };

  const streams = rows.map(() => new TextStream(model.tokenizer, tokens));
  const replaceFor = (batch: readonly number[], position: number, ids: readonly (readonly number[])[]) =>
    replacements(variants, batch, position, ids);
  const steps = continueTokens(model, tokens, {
    rows: rows.map(({ variant, sample }): ContinuationRow => ({
      variant,
      sampling: sample === null ? { temperature: 0 } : sampling,
      seed: seed + (sample ?? 0),
    })),
    maxNewTokens: options.maxNewTokens,
    replaceFor,
    signal,
  });
  let newTokens = 0;
  let firstTokenSeconds = 0;
  for await (const { first, chosen, ended } of steps) {
    if (first) {
      firstTokenSeconds = seconds();
      yield { type: 'next', ...compareNext(model, first, options.compared ?? 10) };
    }
    newTokens += chosen.length;
    yield {
      type: 'tokens',
      tokens: chosen.map(({ row, token }) => ({ row, id: token, text: streams[row].add(token) })),
      ended: [...ended],
    };
  }
  yield { type: 'end', newTokens, firstTokenSeconds, seconds: seconds() };
}

function checkVariant({ steered, keepsError }: SteeringVariant): void {
  for (const { dictionary, interventions } of steered)
    checkInterventions(
      dictionary.autoencoder,
      interventions,
      `Seed ${dictionary.seed} of '${dictionary.run}'`,
    );
  const hooks = steered.map(({ dictionary }) => dictionary.hook);
  const twice = hooks.find((hook, i) => hooks.indexOf(hook) !== i);
  if (!keepsError && twice !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `Two dictionaries reconstruct '${twice}', and only one can take its place: keep the reconstruction error, or steer with one.`,
    );
}

function compareNext(model: LanguageModel, logits: readonly Float32Array[], count: number) {
  const totals = logits.map(logSumExp);
  const probability = (variant: number, id: number) => Math.exp(logits[variant][id] - totals[variant]);
  const ids = new Set(
    logits.flatMap((of) => likeliest(of, model.tokenizer.vocabularySize, count).map(({ id }) => id)),
  );
  return {
    tokens: [...ids]
      .map((id) => ({
        id,
        text: shownToken(model, id),
        probabilities: logits.map((_, variant) => probability(variant, id)),
      }))
      .sort((a, b) => b.probabilities[0] - a.probabilities[0] || a.id - b.id),
    divergence: logits.map((of) => (of === logits[0] ? 0 : klDivergence(logits[0], of))),
  };
}

/** What takes the place of activations in a pass over `ids` [batch][seq], whose row i is of variant `batch[i]`. */
export function replacements(
  variants: readonly SteeringVariant[],
  batch: readonly number[],
  position: number,
  ids: readonly (readonly number[])[],
): ForwardOptions['replace'] {
  const hooks = new Set(
    batch.flatMap((variant) => variants[variant].steered.map(({ dictionary }) => dictionary.hook)),
  );
  const replaced = (hook: HookPoint) => (activation: Tensor) =>
    tf.tidy(() => {
      const [, seq] = activation.shape;
      const x = activation.reshape<Tensor2D>([batch.length * seq, -1]);
      const parts: Tensor2D[] = [];
      for (let from = 0; from < batch.length;) {
        let to = from + 1;
        while (to < batch.length && batch[to] === batch[from]) to++;
        const rows = x.slice<Tensor2D>([from * seq, 0], [(to - from) * seq, -1]);
        parts.push(steerRows(variants[batch[from]], hook, rows, ids.slice(from, to), position));
        from = to;
      }
      return tf.concat(parts, 0).reshape(activation.shape);
    });
  return Object.fromEntries([...hooks].map((hook) => [hook, replaced(hook)]));
}

/** x + Δ, or x̂ + Δ, of rows of one variant at one hook point. */
function steerRows(
  { steered, keepsError }: SteeringVariant,
  hook: HookPoint,
  x: Tensor2D,
  ids: readonly (readonly number[])[],
  position: number,
): Tensor2D {
  const here = steered.filter(({ dictionary }) => dictionary.hook === hook);
  if (here.length === 0) return x;
  const values = x.dataSync<'float32'>();
  const width = values.length / (ids.length * ids[0].length);
  let result = x;
  for (const { dictionary, interventions } of here) {
    const { autoencoder, leaves } = dictionary;
    // The rule of what is left out is about places in a text, so each text of the batch is asked about on its own.
    const leftOut = Uint8Array.from(
      ids.flatMap((tokens, text) => {
        const from = text * tokens.length * width;
        const own = values.subarray(from, from + tokens.length * width);
        return Array.from(leftOutRows(leaves, own, tokens, position) ?? new Uint8Array(tokens.length));
      }),
    );
    if (!keepsError) result = reconstructionOf(autoencoder, x, leftOut);
    result = result.add<Tensor2D>(steeringChange(autoencoder, x, interventions, leftOut));
  }
  return result;
}
