/** Batches of rows as a capture has them, widened by the library's kernel into memory of the pool: no number is touched in JavaScript but those of joint hook points. */
import { placeColumns } from '../../ops/placeColumns.ts';
import type { HostBatch, HostColumns } from '../../ops/rowStore.ts';
import { storedFormats } from '../../ops/storedTensor.ts';
import { bytesOfType } from '../../spec/shardTypes.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { NativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';
import { writable, type Writable } from './pointers.ts';

const half = storedFormats.indexOf('F16');

export function hostBatches(backend: NativeBackend, library: NativeLibrary): HostBatch {
  const { scaledBatch, widen } = library.functions;
  // Kept from batch to batch: new memory costs more than what is written to it.
  let stored = new Uint8Array(0);
  let block = writable(new Float32Array(0));

  /** Rows [rows, d] as float32. */
  function widened({ d, dtype, write }: HostColumns, rows: number, to: Writable<Float32Array>): void {
    if (dtype === 'float32') {
      write(new Uint8Array(to.buffer, to.byteOffset, bytesOfType.float32 * rows * d), 0, rows);
      return;
    }
    const bytes = bytesOfType.float16 * rows * d;
    if (stored.length < bytes) stored = new Uint8Array(bytes);
    write(stored.subarray(0, bytes), 0, rows);
    widen(half, stored, rows, d, to);
  }

  return (columns, rows, scale) => {
    const width = columns.reduce((sum, { d }) => sum + d, 0);
    const { info, values } = backend.output([rows, width], 'float32');
    if (columns.length === 1 && columns[0].scale === 1) widened(columns[0], rows, values);
    else {
      let column = 0;
      for (const own of columns) {
        if (block.length < rows * own.d) block = writable(new Float32Array(rows * own.d));
        widened(own, rows, block);
        placeColumns(block, own, values, { rows, column, width });
        column += own.d;
      }
    }
    const variance = scaledBatch(values, rows, width, scale);
    return { x: tf.engine().makeTensorFromTensorInfo(info) as Tensor2D, variance };
  };
}
