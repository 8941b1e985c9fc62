/**
 * One pass of a language model over packed contexts, which calls a visitor with the activations of each batch. All streaming
 * measures of this folder are accumulators that share this pass, so that memory depends on the size of a batch, not of
 * the text.
 */
import type { HookPoint } from '../models/hookPoints.ts';
import type { ForwardResult, LanguageModel } from '../models/languageModel.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { passContexts } from './passSize.ts';

export interface StreamedBatch extends ForwardResult {
  /** [contexts · seq]: the token ids of the batch. */
  readonly tokens: Int32Array;
  /** The same token ids as a tensor, [contexts, seq]. */
  readonly ids: Tensor2D;
  /** Place of the first token of the batch in the whole stream. */
  readonly firstToken: number;
  readonly contexts: number;
  /** Whether more of the same batch follows. */
  readonly continues: boolean;
  readonly seq: number;
}

export interface StreamOptions {
  /** Tokens in a context. */
  seq: number;
  /** Contexts in a batch, which a large model reads in several passes. */
  batchContexts: number;
  hooks: readonly HookPoint[];
  /** Also compute the attention entropies of each layer. */
  attentionEntropy?: boolean;
  /** Told the tokens of each pass; it may throw to stop. */
  advance?: (tokens: number) => Promise<void>;
}

/**
 * Runs the model over `contexts` [contexts · seq]. The batch's tensors are disposed when the visitor returns.
 */
export async function streamActivations(
  model: LanguageModel,
  contexts: Int32Array,
  options: StreamOptions,
  visit: (batch: StreamedBatch) => void,
): Promise<void> {
  const { seq, batchContexts, hooks, attentionEntropy = false, advance } = options;
  const batchTokens = batchContexts * seq;
  const passTokens = passContexts(model, seq, batchContexts) * seq;
  for (let firstToken = 0; firstToken < contexts.length;) {
    const batchEnd = Math.min(contexts.length, firstToken - (firstToken % batchTokens) + batchTokens);
    const tokens = contexts.subarray(firstToken, Math.min(batchEnd, firstToken + passTokens));
    const continues = firstToken + tokens.length < batchEnd;
    const ids = tf.tensor2d(tokens, [tokens.length / seq, seq], 'int32');
    const result = model.forward(ids, { read: hooks, attentionEntropy });
    try {
      visit({ ...result, tokens, ids, firstToken, contexts: tokens.length / seq, seq, continues });
    } finally {
      tf.dispose([ids, ...result.activations.values(), ...result.entropySums]);
      result.logits?.dispose();
    }
    firstToken += tokens.length;
    await advance?.(tokens.length);
  }
}
