/** Whether matched latents fire together, on held-out rows that both dictionaries encode, in blocks that parts of the work can leave behind. */
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import { pause } from '../pause.ts';
import type { Report } from '../progress.ts';
import { takeBlock, type Block, type BlockFolder } from '../store/blocks.ts';
import { tf } from '../tensor/tf.ts';
import { ActivationAgreement } from './activationAgreement.ts';
import type { OpenedComparison, Side } from './openComparison.ts';

const batchRows = 1024;

type CodeArrays = {
  startA: Int32Array;
  indicesA: Int32Array;
  valuesA: Float32Array;
  startB: Int32Array;
  indicesB: Int32Array;
  valuesB: Float32Array;
};

type Compared = Pick<OpenedComparison, 'a' | 'b' | 'maxTokens'>;

/** The codes of the same rows by both dictionaries. */
export function* codeBlocks({ a, b, maxTokens }: Compared): Generator<Block<CodeArrays> & { end: number }> {
  const total = Math.min(a.rows.heldOutRows, maxTokens);
  for (let first = 0; first < total; first += batchRows) {
    const count = Math.min(batchRows, total - first);
    const encode = ({ dictionary, hook, rows }: Side) => {
      const x = tf.tensor2d(rows.readRows(hook, rows.trainRows + first, count), [count, dictionary.d]);
      const { rowStart, indices, values } = dictionary.encode(x);
      x.dispose();
      // These are copied because a backend may return views of memory that it reuses.
      return { start: rowStart.slice(), indices: indices.slice(), values: values.slice() };
    };
    const make = async () => {
      for (const { hook, rows } of [a, b]) {
        const start = rows.trainRows + first;
        await rows.streaming?.ready(hook, start, count, [start + count, rows.trainRows + total]);
      }
      const [left, right] = [encode(a), encode(b)];
      return {
        startA: left.start,
        indicesA: left.indices,
        valuesA: left.values,
        startB: right.start,
        indicesB: right.indices,
        valuesB: right.values,
      };
    };
    yield { name: `codes-${first}`, make, end: first + count };
  }
}

export async function compareActivations(
  compared: Compared,
  {
    match,
    folder,
    report,
    signal,
  }: {
    match: Int32Array;
    folder: BlockFolder | undefined;
    report: Report;
    signal: AbortSignal | undefined;
  },
): Promise<ActivationAgreement> {
  const { a, b, maxTokens } = compared;
  const agreement = new ActivationAgreement(match, b.dictionary.latents);
  const total = Math.min(a.rows.heldOutRows, maxTokens);
  const code = (rowStart: Int32Array, indices: Int32Array, values: Float32Array): SparseCode => ({
    rows: rowStart.length - 1,
    rowStart,
    indices,
    values,
  });
  for (const block of codeBlocks(compared)) {
    const { startA, indicesA, valuesA, startB, indicesB, valuesB } = await takeBlock(folder, block);
    agreement.add(code(startA, indicesA, valuesA), code(startB, indicesB, valuesB));
    report({ stage: 'compare activations', done: block.end, total, unit: 'tokens' });
    await pause(signal, 'comparing activations');
  }
  return agreement;
}
