/** Text that goes on from a prompt, token by token, with a key-value cache. */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { KeyValueCache } from './keyValueCache.ts';
import type { ForwardOptions, LanguageModel } from './languageModel.ts';
import { sampleToken } from './sampleToken.ts';
import type { Sampling } from './sampleToken.ts';

/** How many tokens are generated, and how each is chosen. */
export interface GenerateOptions extends Partial<Sampling> {
  maxNewTokens: number;
  /** Of the draws, when temperature > 0. */
  seed?: number;
  /** Called with each token and the text it completes ('' while a character is not whole). */
  onToken?: (token: number, text: string) => void;
  /** Activations to replace on the way, for steering. */
  replace?: ForwardOptions['replace'];
  signal?: AbortSignal;
}

/** A generated text. */
export interface Generation {
  /** Prompt and continuation. */
  text: string;
  /** All ids, the prompt's first. */
  tokens: number[];
  promptTokens: number;
  /** Why it ended: the model said so, maxNewTokens, or the context was full. */
  stopped: 'end' | 'length' | 'context';
}

/** Greedy unless a temperature is given. Throws `bad_input` for options or a prompt that can't be. */
export async function generate(
  model: LanguageModel,
  prompt: string,
  options: GenerateOptions,
): Promise<Generation> {
  const { maxNewTokens, seed = 0, onToken, replace, signal } = options;
  const sampling = checkSampling(options);
  const { tokenizer, config } = model;
  const tokens = tokenizer.encode(prompt);
  if (tokens.length === 0) {
    if (tokenizer.bosId === undefined)
      throw new LazyscopeError('bad_input', 'The prompt is empty: give at least one character.');
    tokens.push(tokenizer.bosId);
  }
  const promptTokens = tokens.length;
  const ends = new Set([...config.eosIds, ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId])]);
  const random = Random.fromSeed(seed, 'generate');
  const cache = new KeyValueCache();
  let shown = tokenizer.decode(tokens);
  let stopped: Generation['stopped'] = 'length';
  try {
    let fresh: number[] = tokens;
    for (let made = 0; made < maxNewTokens; made++) {
      if (signal?.aborted) throw new LazyscopeError('cancelled', 'The generation was stopped.');
      if (tokens.length > config.contextLength && made > 0) {
        stopped = 'context';
        break;
      }
      const next = sampleToken(await lastLogits(model, fresh, replace, cache), sampling, random);
      if (ends.has(next)) {
        stopped = 'end';
        break;
      }
      tokens.push(next);
      fresh = [next];
      if (onToken) {
        const text = tokenizer.decode(tokens);
        const whole = !text.endsWith('\uFFFD');
        onToken(next, whole ? text.slice(shown.length) : '');
        if (whole) shown = text;
      }
    }
  } finally {
    cache.dispose();
  }
  return { text: tokenizer.decode(tokens), tokens, promptTokens, stopped };
}

async function lastLogits(
  model: LanguageModel,
  tokens: number[],
  replace: ForwardOptions['replace'],
  cache: KeyValueCache,
) {
  const input = tf.tensor2d(tokens, [1, tokens.length], 'int32');
  try {
    const { logits } = model.forward(input, { replace }, cache);
    const last = tf.tidy(() => logits!.slice([0, tokens.length - 1, 0], [1, 1, -1]).flatten());
    logits!.dispose();
    const values = await last.data();
    last.dispose();
    for (const value of values) if (!Number.isFinite(value)) throw notFinite(model, replace);
    return values;
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

function checkSampling({ maxNewTokens, temperature = 0, topK, topP }: GenerateOptions): Sampling {
  const refuse = (why: string) => new LazyscopeError('bad_input', `${why}.`);
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw refuse(`maxNewTokens must be a positive integer but is ${maxNewTokens}`);
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw refuse(`temperature must be 0 or more but is ${temperature}`);
  if (topK !== undefined && (!Number.isInteger(topK) || topK < 1))
    throw refuse(`topK must be a positive integer but is ${topK}`);
  if (topP !== undefined && !(topP > 0 && topP <= 1)) throw refuse(`topP must lie in (0, 1] but is ${topP}`);
  return { temperature, topK, topP };
}
