/**
 * The effect of a latent on the logits of the next token: its decoder row times the unembedding (METHODS.md §2), computed for
 * a block of latents at a time.
 */
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import type { FlatLists } from '../store/parquet.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { Largest } from './largest.ts';
import { ListBuilder } from './listBuilder.ts';

export interface TokenEffects {
  promotedTokens: FlatLists;
  /** Change of the logit per unit of activation, before the final norm divides by the norm of the residual stream. */
  promotedLogits: FlatLists;
  suppressedTokens: FlatLists;
  suppressedLogits: FlatLists;
}

const blockNumbers = 1 << 23;

/**
 * The `count` tokens whose logits each decoder row raises and lowers most. Decoder rows in the residual stream act on it
 * directly, and decoder rows over MLP neurons through the neurons' outputs; at other hook points there is no such
 * linear path, and the lists are empty, as they are for an encoder, and for activations whose model isn't known (null).
 */
export async function tokenEffects(options: {
  wDec: Float32Array; // [latents, width]
  latents: number;
  hook: HookPoint;
  model: LanguageModel | null;
  count: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}): Promise<TokenEffects> {
  const { wDec, latents, hook, model, count, report = silent, signal } = options;
  const lists = {
    promotedTokens: new ListBuilder(Int32Array, latents, count),
    promotedLogits: new ListBuilder(Float32Array, latents, count),
    suppressedTokens: new ListBuilder(Int32Array, latents, count),
    suppressedLogits: new ListBuilder(Float32Array, latents, count),
  };
  const effect = model && effectMatrix(model, hook);
  if (model && effect) {
    const [width, rows] = effect.shape;
    // An embedding may be padded with rows that belong to no token.
    const vocabulary = Math.min(rows, model.tokenizer.vocabularySize);
    const block = Math.max(1, Math.floor(blockNumbers / rows));
    const largest = new Largest(Math.min(count, vocabulary));
    for (let from = 0; from < latents; from += block) {
      const to = Math.min(from + block, latents);
      const logits = tf.tidy(() =>
        tf.tensor2d(wDec.subarray(from * width, to * width), [to - from, width]).matMul(effect),
      );
      const values = logits.dataSync<'float32'>();
      for (let row = 0; row < to - from; row++) {
        largest.scan(values, row * rows, vocabulary);
        lists.promotedTokens.add(largest.places);
        lists.promotedLogits.add(largest.values);
        largest.scan(values, row * rows, vocabulary, { sign: -1 });
        lists.suppressedTokens.add(largest.places);
        lists.suppressedLogits.add(largest.values.map((value) => -value));
      }
      logits.dispose();
      report({ stage: 'index: token effects', done: to, total: latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
    effect.dispose();
  }
  return {
    promotedTokens: lists.promotedTokens.lists(),
    promotedLogits: lists.promotedLogits.lists(),
    suppressedTokens: lists.suppressedTokens.lists(),
    suppressedLogits: lists.suppressedLogits.lists(),
  };
}

/** The matrix [width of the hook, vocabulary] from activations to logits. The caller disposes it. */
function effectMatrix(model: LanguageModel, name: HookPoint): Tensor2D | undefined {
  const { hook, layer } = parseHookPoint(name);
  if (model.config.encoder) return undefined;
  if (hook === 'mlp.hook_post' && layer !== undefined)
    return tf.tidy(() => tf.matMul<Tensor2D>(model.neuronOutputs(layer), model.foldedUnembedding()));
  if (hook === 'ln_final.hook_normalized') return model.foldedUnembedding('normalized');
  return hook.startsWith('hook_') ? model.foldedUnembedding() : undefined;
}
