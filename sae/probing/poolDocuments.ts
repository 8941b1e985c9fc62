/** Runs a language model over documents and takes the means of what stands at a dictionary's hook point. */
import { leftOutRows, type AttachedDictionary } from '../inference/attachedDictionary.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import type { Report } from '../progress.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { separatorOf } from '../tokens/packTokens.ts';
import type { ClassTexts } from './drawDocuments.ts';
import type { PooledDocuments } from './pooledDocuments.ts';
import { poolTokens } from './poolTokens.ts';

export interface PoolOptions {
  model: LanguageModel;
  dictionary: AttachedDictionary;
  classes: readonly ClassTexts[];
  contextLength: number;
  report: Report;
  signal?: AbortSignal | undefined;
}

/**
 * Each document's first `contextLength` tokens, the separator of the capture included, give its means. Special tokens are not in them,
 * nor rows that training left out. Throws `cancelled` when the signal is aborted.
 */
export async function poolDocuments(options: PoolOptions): Promise<PooledDocuments> {
  const { model, dictionary, classes, contextLength, report, signal } = options;
  const { autoencoder, hook, leaves } = dictionary;
  const pool = poolTokens(autoencoder.d, autoencoder.latents);
  const { tokenizer } = model;
  const special = new Set([
    ...leaves.tokens,
    ...(tokenizer.specialIds ?? []),
    ...[tokenizer.bosId, tokenizer.eosId].filter((id) => id !== undefined),
  ]);
  const total = classes.reduce((sum, { train, test }) => sum + train.length + test.length, 0);
  let next = 0;

  async function poolOne(text: string): Promise<number> {
    const tokens = firstTokens(dictionary, model, text, contextLength);
    const input = tf.tensor2d(tokens, [1, tokens.length], 'int32');
    const { activations } = model.forward(input, { read: [hook], readOnly: true });
    const activation = activations.get(hook)!;
    const all = activation.reshape<Tensor2D>([tokens.length, autoencoder.d]);
    const x = all.dataSync<'float32'>();
    const left = leftOutRows({ ...leaves, tokens: special }, x, tokens, 0);
    const kept = tokens.flatMap((_, row) => (left?.[row] === 1 ? [] : [row]));
    const rows = new Float32Array(kept.length * autoencoder.d);
    for (const [n, row] of kept.entries())
      rows.set(x.subarray(row * autoencoder.d, (row + 1) * autoencoder.d), n * autoencoder.d);
    tf.tidy(() => {
      const code = autoencoder.encode(tf.tensor2d(rows, [kept.length, autoencoder.d]));
      pool.add(rows, code);
    });
    tf.dispose([input, all, ...activations.values()]);
    report({ stage: 'probe documents', done: next + 1, total, unit: 'documents' });
    await pause(signal, 'reading documents');
    return next++;
  }
  async function poolAll(texts: readonly string[]): Promise<number[]> {
    const rows: number[] = [];
    for (const text of texts) rows.push(await poolOne(text));
    return rows;
  }

  const pooled: { name: string; train: number[]; test: number[] }[] = [];
  for (const { name, train, test } of classes)
    pooled.push({ name, train: await poolAll(train), test: await poolAll(test) });
  return { ...pool.examples(), classes: pooled };
}

function firstTokens(
  { packing }: AttachedDictionary,
  { tokenizer, config }: LanguageModel,
  text: string,
  contextLength: number,
): number[] {
  const separator = packing ? packing.separator : (separatorOf(tokenizer, 'contexts') ?? null);
  const tokens = packing?.before !== 'nothing' && separator !== null ? [separator] : [];
  // A token is at most some twenty characters, so that a long document needn't be cut into tokens whole.
  tokens.push(...tokenizer.encode(text.slice(0, 40 * contextLength), { special: false }));
  return tokens.slice(0, Math.min(contextLength, config.contextLength));
}
