/**
 * Collects one hook's activations and writes them out a shard at a time. Memory is one shard, whatever the
 * length of the capture.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { encodeVectors, type VectorValues } from '../formats/arrowVectors.ts';
import { float32ToFloat16 } from '../formats/float16.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import type { CaptureManifest, Shard } from '../spec/manifests/capture.ts';
import type { ShardType } from '../spec/shardTypes.ts';

const largestFloat16 = 65_504;

export class ShardWriter {
  readonly hook: string;
  readonly width: number;
  #half: boolean;
  #buffer: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  #filled = 0;

  /** `maxRows` is the shard's size in rows. */
  constructor(hook: string, width: number, dtype: ShardType, maxRows: number) {
    this.hook = hook;
    this.width = width;
    this.#half = dtype === 'float16';
    this.#buffer = this.#half ? new Uint16Array(maxRows * width) : new Float32Array(maxRows * width);
  }

  /** Appends whole rows, [rows × width]. Throws `bad_input` for values that are not finite or don't fit the type: rounding them to infinity would spoil every later sum. */
  append(values: Float32Array): void {
    refuseUnstorable(values, this.#half ? 'float16' : 'float32', this.hook);
    const target = this.#buffer.subarray(this.#filled, this.#filled + values.length);
    if (target instanceof Uint16Array) float32ToFloat16(values, target);
    else target.set(values);
    this.#filled += values.length;
  }

  /**
   * Writes the rows appended since the last call as `<folder>/<hook>/<prefix><index>.arrow` and returns its entry in the manifest. Rows of
   * the next shard may be appended while it writes.
   */
  async flush(folder: string, index: number, prefix = ''): Promise<Shard> {
    const values = this.#buffer.subarray(0, this.#filled);
    const file = `${this.hook}/${prefix}${String(index).padStart(5, '0')}.arrow`;
    const { shard, bytes } = encodeShard(file, 'activation', this.width, values);
    this.#filled = 0;
    await writeFileAtomic(join(folder, file), bytes);
    return shard;
  }
}

/** One writer a hook point of a capture, with room for a shard of so many contexts. */
export function shardWriters(
  { hooks, contexts, contextLength, firstPosition, dtype }: CaptureManifest,
  shardContexts: number,
): ShardWriter[] {
  const rows = Math.min(shardContexts, contexts) * (contextLength - firstPosition);
  return hooks.map(({ hook, width }) => new ShardWriter(hook, width, dtype, rows));
}

/** Throws `bad_input` for a value that is not finite or doesn't fit the type. */
export function refuseUnstorable(values: Float32Array, dtype: ShardType, hook: string): void {
  const limit = dtype === 'float16' ? largestFloat16 : Number.MAX_VALUE;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Math.abs(value) <= limit) continue;
    throw new LazyscopeError(
      'bad_input',
      Number.isFinite(value)
        ? `An activation at '${hook}' is ${value}, beyond float16's ±65504: capture with dtype float32.`
        : `An activation at '${hook}' is ${value}: the model's weights or its text are damaged.`,
    );
  }
}

/** The bytes of a shard's Arrow file, and the shard's entry in the manifest. */
export function encodeShard(file: string, column: string, width: number, values: VectorValues) {
  const bytes = encodeVectors(column, width, values);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const shard: Shard = { file, rows: values.length / width, bytes: bytes.length, sha256 };
  return { shard, bytes };
}
