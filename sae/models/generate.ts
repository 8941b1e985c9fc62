/** Text that goes on from a prompt, token by token, with a key-value cache. */
import { LazyscopeError } from '../errors.ts';
import { continueTokens } from './continueTokens.ts';
import type { Stopped } from './continueTokens.ts';
import type { ForwardOptions, LanguageModel } from './languageModel.ts';
import type { Sampling } from './sampleToken.ts';
import { TextStream } from './textStream.ts';

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
  stopped: Stopped;
}

/** Greedy unless a temperature is given. Throws `bad_input` for options or a prompt that can't be. */
export async function generate(
  model: LanguageModel,
  prompt: string,
  options: GenerateOptions,
): Promise<Generation> {
  const { maxNewTokens, seed = 0, onToken, replace, signal } = options;
  const sampling = checkSampling(options);
  const { tokenizer } = model;
  const tokens = tokenizer.encode(prompt);
  if (tokens.length === 0) {
    if (tokenizer.bosId === undefined)
      throw new LazyscopeError('bad_input', 'The prompt is empty: give at least one character.');
    tokens.push(tokenizer.bosId);
  }
  const promptTokens = tokens.length;
  const stream = new TextStream(tokenizer, tokens);
  let stopped: Stopped = 'length';
  const steps = continueTokens(model, tokens.slice(), {
    rows: [{ variant: 0, sampling, seed }],
    maxNewTokens,
    ...(replace && { replaceFor: () => replace }),
    signal,
  });
  for await (const { chosen, ended } of steps) {
    for (const { token } of chosen) {
      tokens.push(token);
      onToken?.(token, stream.add(token));
    }
    for (const one of ended) ({ stopped } = one);
  }
  return { text: tokenizer.decode(tokens), tokens, promptTokens, stopped };
}

/** The sampling of these options. Throws `bad_input` for what can't be. */
export function checkSampling({ maxNewTokens, temperature = 0, topK, topP }: GenerateOptions): Sampling {
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
