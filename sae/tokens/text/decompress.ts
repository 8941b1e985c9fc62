/**
 * Compressed bytes as they are unpacked, a piece at a time. A stream that is broken or ends early is an error, never a shorter text.
 *
 * Node has gzip; it has zstd only from version 22.15 on, and no xz. The reference decoder of zstd (as WebAssembly) compares
 * the checksum, which smaller decoders in JavaScript don't.
 */
import { Readable, pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import xz from 'xz-decompress';
import { ZSTDDecoder } from 'zstddec/stream';
import { LazyscopeError } from '../../errors.ts';
import type { Compression } from './fileKind.ts';

/** Bytes a piece at a time. */
export type Chunks = AsyncGenerator<Uint8Array, void, void>;

/** Throws `corrupt` when the stream is broken or ends early, naming `path`, and what `chunks` throws. */
export async function* decompress(kind: Compression, chunks: Chunks, path: string): Chunks {
  let failure: { error: unknown } | undefined;
  /** Tells errors of reading apart from errors of unpacking. */
  async function* watched(): Chunks {
    try {
      yield* chunks;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  try {
    yield* { gzip: gunzip, xz: unxz, zstd: unzstd }[kind](watched());
  } catch (cause) {
    if (failure) throw failure.error;
    throw new LazyscopeError('corrupt', `'${path}' can't be unpacked: ${reasonOf(kind, cause)}.`, { cause });
  }
}

function reasonOf(kind: Compression, cause: unknown): string {
  const said = cause instanceof Error ? cause.message : '';
  // Codes of xz-embedded's `enum xz_ret`.
  if (kind === 'xz' && said.endsWith('code 4'))
    return 'its dictionary is larger than 64 MiB, so compress it with a preset of xz (-9 at most)';
  if (kind === 'xz' && said.endsWith('code 6'))
    return "it uses a check or a filter beyond xz's defaults, so compress it again without --check and filters";
  const window = kind === 'zstd' ? ' (or its window is larger than 128 MiB)' : '';
  return `its ${kind} stream is broken or ends early${window}, so fetch or compress it again`;
}

async function* gunzip(chunks: Chunks): Chunks {
  const unpacked = createGunzip();
  // What goes wrong reaches the loop below, because the pipeline destroys its last stream with the error.
  pipeline(Readable.from(chunks, { objectMode: false }), unpacked, () => {});
  for await (const chunk of unpacked) yield chunk;
}

async function* unxz(chunks: Chunks): Chunks {
  const packed = Readable.toWeb(Readable.from(chunks, { objectMode: false }));
  const reader = new xz.XzReadableStream(packed as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Where it isn't at its end, this frees the decoder for the next file.
    await reader.cancel().catch(() => {});
  }
}

async function* unzstd(chunks: Chunks): Chunks {
  const decoder = new ZSTDDecoder();
  await decoder.init();
  let ahead: Uint8Array | 'needed' | 'ended' = 'needed';
  /** Times in a row that the decoder gave nothing of the same input. It says nothing of errors: it then stands still. */
  let idle = 0;
  // The decoder takes one piece of input at most each time it is asked for output, so one piece ahead is enough.
  function* input(): Generator<Uint8Array> {
    while (typeof ahead !== 'string') {
      const piece = ahead;
      ahead = 'needed';
      idle = 0;
      yield piece;
    }
  }
  const output = decoder.decodeStreaming(input());
  for (;;) {
    while (ahead === 'needed') {
      const { done, value } = await chunks.next();
      if (done) ahead = 'ended';
      else if (value.length > 0) ahead = value;
    }
    const { done, value } = output.next();
    if (done) return;
    if (value.length > 0) yield value;
    else if (++idle > 2) throw new Error('the decoder stands still');
  }
}
