/** Times forward passes of a language model on random tokens. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import { Random } from '../../sae/numerics/random.ts';
import { tf } from '../../sae/tensor/tf.ts';

export interface ForwardBenchmark {
  batch: number;
  contextLength: number;
  repeats: number;
}

export async function benchForward(
  model: LanguageModel,
  { batch, contextLength, repeats }: ForwardBenchmark,
) {
  const random = Random.fromSeed(0, 'bench forward');
  const vocabulary = Math.min(model.config.vocabularySize, model.tokenizer.vocabularySize);
  const ids = Int32Array.from({ length: batch * contextLength }, () => random.below(vocabulary));
  const tokens = tf.tensor2d(ids, [batch, contextLength], 'int32');
  await checkAlone(model, ids, contextLength, await lastLogits(model, ids, batch, contextLength));
  let best = Infinity;
  for (let n = 0; n < repeats; n++) {
    const started = performance.now();
    const { logits } = model.forward(tokens);
    if (!logits) throw new TypeError('a whole forward pass gave no logits');
    const last = logits.slice([batch - 1, contextLength - 1, 0], [1, 1, 1]);
    await last.data();
    best = Math.min(best, performance.now() - started);
    tf.dispose([logits, last]);
  }
  tokens.dispose();
  const positions = batch * contextLength;
  return {
    milliseconds: best,
    tokensPerSecond: (1000 * positions) / best,
    // Two operations for each weight and position; attention's own products are left out.
    gflops: (2 * model.parameterCount() * positions) / best / 1e6,
  };
}

/** Logits [batch, vocab] after the last position of each context. */
async function lastLogits(model: LanguageModel, ids: Int32Array, batch: number, contextLength: number) {
  const tokens = tf.tensor2d(ids, [batch, contextLength], 'int32');
  const { logits } = model.forward(tokens);
  if (!logits) throw new TypeError('a whole forward pass gave no logits');
  const last = logits.slice([0, contextLength - 1, 0], [batch, 1, -1]);
  const values = await last.data();
  tf.dispose([tokens, logits, last]);
  return values;
}

/** Throws when a context's logits depend on the other contexts of its batch. */
async function checkAlone(
  model: LanguageModel,
  ids: Int32Array,
  contextLength: number,
  together: ArrayLike<number>,
): Promise<void> {
  const alone = await lastLogits(model, ids.slice(0, contextLength), 1, contextLength);
  const off = alone.findIndex((value, i) => !(Math.abs(value - together[i]) < 1e-2));
  if (off >= 0)
    throw new LazyscopeError(
      'unavailable',
      `Backend ${tf.getBackend()} computes wrong passes: logit ${off} is ${together[off]} in a batch and ${alone[off]} alone.`,
    );
}
