import type { Encoder, SharedChoice } from '../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import type { Tensor2D } from '../../tensor/tf.ts';
import type { Encoder as EncoderArguments, NativeFunctions } from './nativeFunctions.ts';
import { type Writable, writable } from './pointers.ts';

interface Parts {
  readonly call: NativeFunctions;
  readonly encoderOf: (x: Tensor2D, encoder: Encoder) => EncoderArguments;
  readonly list: (
    rows: number,
    latents: number,
    count: number,
  ) => {
    entries: SparseEntries;
    rowStart: Writable<Int32Array>;
    indices: Writable<Int32Array>;
    values: Writable<Float32Array>;
  };
  readonly screening: () => number;
}

/** `topKEncode` and `topKEncodeOfMany` of the native backend (see `FusedKernels`). */
export function topKBy({ call, encoderOf, list, screening }: Parts) {
  return (
    x: Tensor2D,
    encoder: Encoder,
    k: number,
    { among = null, shared }: { among?: Int32Array | null | undefined; shared?: SharedChoice },
  ): SparseEntries => {
    const [rows] = x.shape;
    const { entries, rowStart, indices, values } = list(rows, encoder.wEnc.shape[0], rows * k);
    for (let row = 0; row <= rows; row++) rowStart[row] = row * k;
    const from = encoderOf(x, encoder);
    const count = among?.length ?? 0;
    if (!shared) {
      call.topkEncode(from, among, count, k, screening(), indices, values);
      return entries;
    }
    const bars = new Float32Array(rows);
    const screened = call.topkScreen(from, among, count, k, shared.part, screening(), writable(bars));
    const agreed = shared.agree(bars);
    if (screened) call.topkSettle(among, agreed, indices, values);
    else call.topkEncode(from, among, count, k, 0, indices, values);
    return entries;
  };
}
