/**
 * One pass of a language model over packed contexts, which calls a visitor with the activations of each batch. All streaming
 * measures of this folder are accumulators that share this pass, so that memory depends on the size of a batch, not of
 * the text.
 */
import { LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { ForwardResult, LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

export interface StreamedBatch extends ForwardResult {
  /** [contexts · seq]: the token ids of the batch. */
  readonly tokens: Int32Array;
  /** The same token ids as a tensor, [contexts, seq]. */
  readonly ids: Tensor2D;
  /** Place of the first token of the batch in the whole stream. */
  readonly firstToken: number;
  readonly contexts: number;
  readonly seq: number;
}

export interface StreamOptions {
  /** Tokens in a context. */
  seq: number;
  /** Contexts in a batch. */
  batchContexts: number;
  hooks: readonly HookPoint[];
  /** Also compute the attention entropies of each layer. */
  attentionEntropy?: boolean;
  stage: string;
  report?: Report;
  signal?: AbortSignal;
}

/**
 * Runs the model over `contexts` [contexts · seq]. The batch's tensors are disposed when the visitor returns.
 * Throws 'cancelled' when the signal is aborted.
 */
export async function streamActivations(
  model: LanguageModel,
  contexts: Int32Array,
  options: StreamOptions,
  visit: (batch: StreamedBatch) => void,
): Promise<void> {
  const { seq, batchContexts, hooks, attentionEntropy = false, stage, report = silent, signal } = options;
  const started = performance.now();
  const batchTokens = batchContexts * seq;
  for (let firstToken = 0; firstToken < contexts.length; firstToken += batchTokens) {
    if (signal?.aborted) throw new LazyscopeError('cancelled', `Stopped while doing: ${stage}.`);
    const tokens = contexts.subarray(firstToken, firstToken + batchTokens);
    const ids = tf.tensor2d(tokens, [tokens.length / seq, seq], 'int32');
    const result = model.forward(ids, { read: hooks, attentionEntropy });
    try {
      visit({ ...result, tokens, ids, firstToken, contexts: tokens.length / seq, seq });
    } finally {
      tf.dispose([ids, ...result.activations.values(), ...result.entropySums]);
      result.logits?.dispose();
    }
    const done = firstToken + tokens.length;
    const tokensPerSecond = done / ((performance.now() - started) / 1000);
    report({ stage, done, total: contexts.length, unit: 'tokens', values: { tokensPerSecond } });
    // Lets a signal through between two forward passes, which block.
    await new Promise((next) => setImmediate(next));
  }
}
