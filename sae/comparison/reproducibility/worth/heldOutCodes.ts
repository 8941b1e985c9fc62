/** The held-out rows of a dictionary's capture, with the latents that fire on them and what the dictionary makes of them. */
import type { SelectedRows } from '../../../activations/selectRows.ts';
import type { Autoencoder, SparseCode } from '../../../autoencoders/autoencoder.ts';
import { pause } from '../../../pause.ts';
import type { Report } from '../../../progress.ts';
import { tf } from '../../../tensor/tf.ts';

export interface DictionaryOnRows {
  readonly autoencoder: Autoencoder;
  readonly rows: SelectedRows;
  readonly hook: string;
}

export interface CodedRows {
  /** The number of the first of these rows among those asked for. */
  readonly first: number;
  /** x and x̂ [rows, d]. */
  readonly x: Float32Array;
  readonly xHat: Float32Array;
  readonly code: SparseCode;
}

const rowsAtOnce = 2048;

interface Told {
  readonly stage: string;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

/** The first `total` held-out rows, some at a time. Throws 'cancelled' when the signal is aborted. */
export const heldOutCodes = (dictionary: DictionaryOnRows, total: number, told: Told) =>
  codesFrom(dictionary, { from: dictionary.rows.trainRows, total }, told);

/** The same of the first training rows. */
export const trainingCodes = (dictionary: DictionaryOnRows, total: number, told: Told) =>
  codesFrom(dictionary, { from: 0, total }, told);

async function* codesFrom(
  { autoencoder, rows, hook }: DictionaryOnRows,
  { from, total }: { from: number; total: number },
  { stage, report, signal }: Told,
): AsyncGenerator<CodedRows> {
  const { d } = autoencoder;
  for (let first = 0; first < total; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, total - first);
    const x = rows.readRows(hook, from + first, count);
    const input = tf.tensor2d(x, [count, d]);
    const code = autoencoder.encode(input);
    const decoded = autoencoder.decode(code);
    const xHat = decoded.dataSync<'float32'>();
    tf.dispose([input, decoded]);
    yield { first, x, xHat, code };
    report({ stage, done: first + count, total, unit: 'tokens' });
    await pause(signal, 'measuring what features are worth');
  }
}
