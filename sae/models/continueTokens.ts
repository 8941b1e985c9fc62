/**
 * Goes on from one prompt in several ways at once: rows of one batch that differ in how the next token is chosen and,
 * by their variant, in what is replaced on the way. A step of all rows reads the weights once, and on a CPU
 * reading them is most of its cost.
 */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../numerics/random.ts';
import { pause } from '../pause.ts';
import { tf } from '../tensor/tf.ts';
import { blockHook } from './hookPoints.ts';
import { KeyValueCache } from './keyValueCache.ts';
import type { ForwardOptions, LanguageModel } from './languageModel.ts';
import { predictsNextToken } from './predictsNextToken.ts';
import { sampleToken } from './sampleToken.ts';
import type { Sampling } from './sampleToken.ts';

/** One continuation. */
export interface ContinuationRow {
  /** Which of the variants of `replaceFor` it belongs to, from 0. Rows of one variant stand together, and variants ascend. */
  variant: number;
  sampling: Sampling;
  /** Of the draws, when temperature > 0. */
  seed: number;
}

export interface ContinueOptions {
  rows: readonly ContinuationRow[];
  maxNewTokens: number;
  /**
   * What is replaced in a pass over `tokens` [batch][seq], whose row i is of variant `variants[i]` and whose first column
   * stands at `position`.
   */
  replaceFor?: (
    variants: readonly number[],
    position: number,
    tokens: readonly (readonly number[])[],
  ) => ForwardOptions['replace'];
  signal?: AbortSignal | undefined;
}

/** Why a continuation ended: the model said so, maxNewTokens, or the context was full. */
export type Stopped = 'end' | 'length' | 'context';

/** What one more token brought. */
export interface ContinuationStep {
  /** The logits after the prompt by variant, each [vocab]; with the first step only. */
  first?: readonly Float32Array[];
  chosen: readonly { row: number; token: number }[];
  ended: readonly { row: number; stopped: Stopped }[];
}

/** A prompt runs through the model in pieces of this many tokens, with a pause between them. */
const pieceLength = 256;

/**
 * A step for each token until every row has ended. `prompt` are token ids, at least one. Throws 'bad_input' for a prompt
 * longer than the context or logits that are not finite, 'cancelled' when the signal is aborted.
 */
export async function* continueTokens(
  model: LanguageModel,
  prompt: readonly number[],
  { rows, maxNewTokens, replaceFor, signal }: ContinueOptions,
): AsyncGenerator<ContinuationStep, void> {
  const { tokenizer, config } = model;
  predictsNextToken(model, "it can't go on from a text");
  if (prompt.length > config.contextLength)
    throw new LazyscopeError(
      'bad_input',
      `The text has ${prompt.length} tokens, but '${model.name}' has a context of ${config.contextLength}: shorten it.`,
    );
  const ends = new Set([...config.eosIds, ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId])]);
  const randoms = rows.map(({ seed }) => Random.fromSeed(seed, 'generate'));
  const variants = [...new Set(rows.map(({ variant }) => variant))];
  const cache = new KeyValueCache();
  const run = (tokens: readonly (readonly number[])[], of: readonly number[], wanted: 'logits' | 'cache') =>
    runPiece(model, tokens, { replace: replaceFor?.(of, cache.length, tokens), cache, wanted });
  try {
    // Only the last position's logits are wanted, and a prompt's logits can be larger than the model.
    for (let at = 0; at < prompt.length - 1; at += pieceLength) {
      const piece = prompt.slice(at, Math.min(at + pieceLength, prompt.length - 1));
      await run(variants.map(() => piece), variants, 'cache'); // prettier-ignore
      await pause(signal, 'generating');
    }
    const first = await run(variants.map(() => prompt.slice(-1)), variants, 'logits'); // prettier-ignore
    let alive = rows.map((_, row) => row);
    // Where in the batch the logits of a row are.
    let logits = rows.map(({ variant }) => first[variants.indexOf(variant)]);
    cache.select(rows.map(({ variant }) => variants.indexOf(variant)));
    for (let made = 0; alive.length > 0; made++) {
      const chosen: { row: number; token: number }[] = [];
      const ended: { row: number; stopped: Stopped }[] = [];
      for (const [at, row] of alive.entries()) {
        const token = sampleToken(logits[at], rows[row].sampling, randoms[row]);
        if (ends.has(token)) {
          ended.push({ row, stopped: 'end' });
          continue;
        }
        chosen.push({ row, token });
        // The last token needs no room of its own: nothing is predicted from it.
        if (made + 1 === maxNewTokens) ended.push({ row, stopped: 'length' });
        else if (prompt.length + made + 1 > config.contextLength) ended.push({ row, stopped: 'context' });
      }
      yield { ...(made === 0 && { first }), chosen, ended };
      await pause(signal, 'generating');
      const over = new Set(ended.map(({ row }) => row));
      const going = chosen.filter(({ row }) => !over.has(row));
      if (going.length === 0) return;
      if (going.length < alive.length) cache.select(going.map(({ row }) => alive.indexOf(row)));
      alive = going.map(({ row }) => row);
      const of = alive.map((row) => rows[row].variant);
      logits = await run(going.map(({ token }) => [token]), of, 'logits'); // prettier-ignore
    }
  } finally {
    cache.dispose();
  }
}

/** Runs tokens [batch][seq] where the cache ends; the logits of the last position of each row, or none. */
async function runPiece(
  model: LanguageModel,
  tokens: readonly (readonly number[])[],
  pass: { replace: ForwardOptions['replace']; cache: KeyValueCache; wanted: 'logits' | 'cache' },
): Promise<Float32Array[]> {
  const { replace, cache, wanted } = pass;
  const [batch, seq] = [tokens.length, tokens[0].length];
  const input = tf.tensor2d(tokens.flat(), [batch, seq], 'int32');
  try {
    if (wanted === 'cache') {
      const { activations } = model.forward(
        input,
        { replace, read: [blockHook(model.config.layers - 1, 'hook_resid_post')], readOnly: true },
        cache,
      );
      for (const activation of activations.values()) activation.dispose();
      return [];
    }
    const { logits } = model.forward(input, { replace }, cache);
    const last = tf.tidy(() => logits!.slice([0, seq - 1, 0], [batch, 1, -1]).flatten());
    logits!.dispose();
    const values = Float32Array.from(await last.data<'float32'>());
    last.dispose();
    for (const value of values) if (!Number.isFinite(value)) throw notFinite(model, replace);
    const vocabulary = values.length / batch;
    return tokens.map((_, row) => values.subarray(row * vocabulary, (row + 1) * vocabulary));
  } finally {
    input.dispose();
  }
}

/** A greedy search among NaN would choose token 0 for ever. */
function notFinite(model: LanguageModel, replace: ForwardOptions['replace']): LazyscopeError {
  const weight = model.nonFiniteWeight?.();
  if (weight !== undefined)
    return new LazyscopeError(
      'corrupt',
      `The weight '${weight}' of '${model.name}' has entries that are not finite: fetch the weights again.`,
    );
  const why = replace ? 'with the activations that were put in' : 'although its weights are finite';
  return new LazyscopeError('bad_input', `The logits of '${model.name}' are not finite ${why}.`);
}
