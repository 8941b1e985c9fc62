/**
 * The effect of a latent on the logits of the next token: its decoder row times the unembedding (METHODS.md §2), computed for
 * a block of latents at a time.
 */
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { takeBlock, type Block, type BlockFolder } from '../store/blocks.ts';
import type { FlatLists } from '../store/parquet.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { joined, latentBlocks } from './latentBlocks.ts';
import { Largest } from './largest.ts';

export interface TokenEffects {
  promotedTokens: FlatLists;
  /** Change of the logit per unit of activation, before the final norm divides by the norm of the residual stream. */
  promotedLogits: FlatLists;
  suppressedTokens: FlatLists;
  suppressedLogits: FlatLists;
}

const blockNumbers = 1 << 23;

export interface TokenEffectOptions {
  wDec: Float32Array; // [latents, width]
  latents: number;
  hook: HookPoint;
  model: LanguageModel | null;
  count: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Tokens and logits of some latents, [latents of the block × tokens a latent], flat. */
type Effects = {
  promotedTokens: Int32Array;
  promotedLogits: Float32Array;
  suppressedTokens: Int32Array;
  suppressedLogits: Float32Array;
};

/** The effects in blocks of latents: none where there is no linear path to the logits. `dispose` frees what they share. */
export function tokenEffectBlocks(options: TokenEffectOptions): {
  blocks: Block<Effects>[];
  perLatent: number;
  dispose(): void;
} {
  const { wDec, latents, hook, model, count, report = silent, signal } = options;
  const effect = model && effectMatrix(model, hook);
  if (!model || !effect) return { blocks: [], perLatent: 0, dispose() {} };
  const [width, rows] = effect.shape;
  // An embedding may be padded with rows that belong to no token.
  const vocabulary = Math.min(rows, model.tokenizer.vocabularySize);
  const atOnce = Math.max(1, Math.floor(blockNumbers / rows));
  const perLatent = Math.min(count, vocabulary);
  const make = async (first: number, end: number): Promise<Effects> => {
    const largest = new Largest(perLatent);
    const length = (end - first) * perLatent;
    const found = {
      promotedTokens: new Int32Array(length),
      promotedLogits: new Float32Array(length),
      suppressedTokens: new Int32Array(length),
      suppressedLogits: new Float32Array(length),
    };
    for (let from = first; from < end; from += atOnce) {
      const to = Math.min(from + atOnce, end);
      const logits = tf.tidy(() =>
        tf.tensor2d(wDec.subarray(from * width, to * width), [to - from, width]).matMul(effect),
      );
      const values = logits.dataSync<'float32'>();
      for (let row = 0; row < to - from; row++) {
        const at = (from - first + row) * perLatent;
        largest.scan(values, row * rows, vocabulary);
        found.promotedTokens.set(largest.places, at);
        found.promotedLogits.set(largest.values, at);
        largest.scan(values, row * rows, vocabulary, { sign: -1 });
        found.suppressedTokens.set(largest.places, at);
        found.suppressedLogits.set(
          largest.values.map((value) => -value),
          at,
        );
      }
      logits.dispose();
      report({ stage: 'index: token effects', done: to, total: latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
    return found;
  };
  return {
    blocks: latentBlocks(latents, atOnce, 'effects', make),
    perLatent,
    dispose: () => effect.dispose(),
  };
}

/**
 * The `count` tokens whose logits each decoder row raises and lowers most. Decoder rows in the residual stream act on it
 * directly, and decoder rows over MLP neurons through the neurons' outputs; at other hook points there is no such
 * linear path, and the lists are empty, as they are for an encoder, and for activations whose model isn't known (null).
 */
export async function tokenEffects(
  options: TokenEffectOptions & { folder?: BlockFolder | undefined },
): Promise<TokenEffects> {
  const { latents, folder } = options;
  const { blocks, perLatent, dispose } = tokenEffectBlocks(options);
  try {
    const found: Effects[] = [];
    for (const block of blocks) found.push(await takeBlock(folder, block));
    const offsets = Uint32Array.from({ length: latents + 1 }, (_, latent) => latent * perLatent);
    const integers = (of: (effects: Effects) => Int32Array): FlatLists => ({
      values: joined(found.map(of), new Int32Array(latents * perLatent)),
      offsets,
    });
    const floats = (of: (effects: Effects) => Float32Array): FlatLists => ({
      values: joined(found.map(of), new Float32Array(latents * perLatent)),
      offsets,
    });
    return {
      promotedTokens: integers((one) => one.promotedTokens),
      promotedLogits: floats((one) => one.promotedLogits),
      suppressedTokens: integers((one) => one.suppressedTokens),
      suppressedLogits: floats((one) => one.suppressedLogits),
    };
  } finally {
    dispose();
  }
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
