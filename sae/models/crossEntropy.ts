/** How well a model predicts a text, in nats a token, with hook points replaced or not. */
import { LazyscopeError } from '../errors.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor2D, Tensor3D } from '../tensor/tf.ts';
import type { ForwardOptions, LanguageModel } from './languageModel.ts';
import { predictsNextToken } from './predictsNextToken.ts';

/** −log p of each next token: logits [batch, seq, vocab], tokens int32 [batch, seq] → [batch, seq − 1]. */
export function nextTokenLosses(logits: Tensor3D, tokens: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const [batch, seq, vocabulary] = logits.shape;
    // The last position has no next token: it is given token 0 and left out afterwards, which copies nothing large.
    const labels = tokens.slice([0, 1], [-1, seq - 1]).concat(tf.zeros([batch, 1], 'int32'), 1);
    const losses = softmaxCrossEntropy(logits.reshape([-1, vocabulary]) as Tensor2D, labels.flatten());
    return losses.reshape([batch, seq]).slice([0, 0], [-1, seq - 1]) as Tensor2D;
  });
}

/** Per-token losses of a batch; the caller's to dispose. tokens int32 [batch, seq], seq ≥ 2 → [batch, seq − 1]. */
export function tokenLosses(
  model: LanguageModel,
  tokens: Tensor2D,
  replace?: ForwardOptions['replace'],
): Tensor2D {
  if (tokens.shape[1] < 2)
    throw new LazyscopeError('bad_input', 'A cross-entropy needs texts of at least two tokens.');
  predictsNextToken(model, 'it has no loss of next tokens');
  const { logits } = model.forward(tokens, { replace });
  try {
    return nextTokenLosses(logits!, tokens);
  } finally {
    logits!.dispose();
  }
}

export interface CrossEntropyOptions {
  /** Contexts in one forward pass. */
  batchSize?: number;
  replace?: ForwardOptions['replace'];
}

/** Mean loss over all predicted tokens. tokens [contexts × contextLength], row after row. */
export function meanCrossEntropy(
  model: LanguageModel,
  tokens: Int32Array,
  contextLength: number,
  { batchSize = 8, replace }: CrossEntropyOptions = {},
): number {
  const contexts = tokens.length / contextLength;
  if (!Number.isInteger(contexts) || contexts === 0)
    throw new LazyscopeError(
      'bad_input',
      `${tokens.length} tokens do not make whole contexts of ${contextLength}.`,
    );
  let sum = 0;
  for (let first = 0; first < contexts; first += batchSize) {
    const count = Math.min(batchSize, contexts - first);
    const part = tokens.subarray(first * contextLength, (first + count) * contextLength);
    sum += tf.tidy(() => {
      const losses = tokenLosses(model, tf.tensor2d(part, [count, contextLength], 'int32'), replace);
      return tf.sum(losses).dataSync()[0];
    });
  }
  return sum / (contexts * (contextLength - 1));
}
