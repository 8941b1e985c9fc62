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
  /** The number of the first of these rows among the held-out ones. */
  readonly first: number;
  /** x and x̂ [rows, d]. */
  readonly x: Float32Array;
  readonly xHat: Float32Array;
  readonly code: SparseCode;
}

const rowsAtOnce = 2048;

/** The first `total` held-out rows, some at a time. Throws 'cancelled' when the signal is aborted. */
export async function* heldOutCodes(
  { autoencoder, rows, hook }: DictionaryOnRows,
  total: number,
  { stage, report, signal }: { stage: string; report: Report; signal: AbortSignal | undefined },
): AsyncGenerator<CodedRows> {
  const { d } = autoencoder;
  for (let first = 0; first < total; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, total - first);
    const x = rows.readRows(hook, rows.trainRows + first, count);
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
