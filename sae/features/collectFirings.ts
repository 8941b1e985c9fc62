/**
 * Every firing of a dictionary on held-out tokens, arranged by latent, so that the index's figures of a latent are exact
 * and come from its own list.
 *
 * Memory is bounded by the number of firings kept, eight bytes each (twice that while they are rearranged). A
 * capture with more is cut at a context's end, and the number of tokens covered is returned.
 */
import type { Capture } from '../activations/openCapture.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { takeBlock, type Block, type BlockFolder } from '../store/blocks.ts';
import { tf } from '../tensor/tf.ts';

export interface FiringsByLatent {
  /** Held-out rows covered, whole contexts of them, without the rows left out. */
  tokens: number;
  latents: number;
  /** Firings of latent i are start[i] … start[i + 1] − 1 of the two arrays below [latents + 1]. */
  start: Uint32Array;
  /** Ascending within a latent; row 0 is the first held-out row. */
  rows: Uint32Array;
  /** The activation of each firing, all > 0. */
  values: Float32Array;
}

export interface CollectOptions {
  capture: Capture;
  hook: string;
  autoencoder: Pick<Autoencoder, 'latents' | 'encode'>;
  /** 1 for each held-out row whose firings are left out [heldOutRows]. */
  excluded?: Uint8Array;
  maxTokens?: number;
  /** Most firings kept; the default, 64 Mi, takes 512 MiB. */
  maxFirings?: number | undefined;
  /** Where parts of the work may be done already. */
  folder?: BlockFolder | undefined;
  report?: Report;
  signal?: AbortSignal | undefined;
}

const rowsAtOnce = 4096;

/** The firings on some rows; entries are numbered from 0. */
type Firings = { rowStart: Int32Array; indices: Int32Array; values: Float32Array };
interface Piece extends Firings {
  firstRow: number;
}
interface FiringBlock extends Block<Firings> {
  firstRow: number;
  rows: number;
}

/** Rows that are indexed: whole contexts. */
function rowsWanted({ capture, maxTokens = Infinity }: CollectOptions): number {
  const { rowsPerContext, heldOutRows } = capture;
  return Math.min(heldOutRows, Math.ceil(maxTokens / rowsPerContext) * rowsPerContext);
}

/** The firings in blocks of rows, whole contexts each. */
export function* firingBlocks(options: CollectOptions): Generator<FiringBlock> {
  const { rowsPerContext } = options.capture;
  const wanted = rowsWanted(options);
  const step = Math.max(1, Math.floor(rowsAtOnce / rowsPerContext)) * rowsPerContext;
  for (let firstRow = 0; firstRow < wanted; firstRow += step) {
    const rows = Math.min(step, wanted - firstRow);
    const make = async () => {
      const { capture, hook } = options;
      const start = capture.trainRows + firstRow;
      await capture.streaming?.ready(hook, start, rows, [start + rows, capture.trainRows + wanted]);
      return withoutRows(encode(options, firstRow, rows), firstRow, options.excluded);
    };
    yield { name: `firings-${firstRow}`, firstRow, rows, make };
  }
}

export async function collectFirings(options: CollectOptions): Promise<FiringsByLatent> {
  const { capture, autoencoder, folder, report = silent, signal } = options;
  const { rowsPerContext } = capture;
  const limit = options.maxFirings ?? 1 << 26;
  const wanted = rowsWanted(options);
  const counts = new Uint32Array(autoencoder.latents);
  const pieces: Piece[] = [];
  let covered = 0;
  let firings = 0;
  for (const block of firingBlocks(options)) {
    await pause(signal, 'indexing');
    const { firstRow, rows } = block;
    const piece = { firstRow, ...(await takeBlock(folder, block)) };
    const fits = fittingRows(piece.rowStart, limit - firings, rowsPerContext);
    if (fits === 0) break;
    const entries = piece.rowStart[fits];
    for (let e = 0; e < entries; e++) counts[piece.indices[e]]++;
    pieces.push({ ...piece, rowStart: piece.rowStart.subarray(0, fits + 1) });
    covered += fits;
    firings += entries;
    report({ stage: 'index: encode', done: covered, total: wanted, unit: 'tokens' });
    if (fits < rows) break;
  }
  if (covered === 0)
    throw new LazyscopeError(
      'bad_input',
      `The dictionary fires more than ${limit} times in one context of '${capture.manifest.name}': train a sparser one.`,
    );
  await pause(signal, 'indexing');
  const left = options.excluded?.subarray(0, covered).reduce((sum, out) => sum + out, 0) ?? 0;
  return { tokens: covered - left, latents: autoencoder.latents, ...transpose(pieces, counts, firings) };
}

/** Nothing fires on a row that is left out. */
function withoutRows(piece: Firings, firstRow: number, excluded: Uint8Array | undefined): Firings {
  const rows = piece.rowStart.length - 1;
  if (!excluded?.subarray(firstRow, firstRow + rows).includes(1)) return piece;
  const rowStart = new Int32Array(rows + 1);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    if (excluded[firstRow + row] === 0)
      for (let e = piece.rowStart[row]; e < piece.rowStart[row + 1]; e++) {
        piece.indices[at] = piece.indices[e];
        piece.values[at++] = piece.values[e];
      }
    rowStart[row + 1] = at;
  }
  return { rowStart, indices: piece.indices.slice(0, at), values: piece.values.slice(0, at) };
}

function encode({ capture, hook, autoencoder }: CollectOptions, firstRow: number, rows: number): Firings {
  const x = tf.tensor2d(capture.readRows(hook, capture.trainRows + firstRow, rows), [
    rows,
    capture.width(hook),
  ]);
  try {
    const { rowStart, indices, values } = autoencoder.encode(x);
    // These are copied because a backend may return views of memory that it reuses.
    return { rowStart: rowStart.slice(), indices: indices.slice(), values: values.slice() };
  } finally {
    x.dispose();
  }
}

/** The largest number of rows, in whole contexts, that have at most `room` entries together. */
function fittingRows(rowStart: Int32Array, room: number, rowsPerContext: number): number {
  let rows = rowStart.length - 1;
  while (rows > 0 && rowStart[rows] > room) rows -= rowsPerContext;
  return Math.max(rows, 0);
}

/** Turns lists by row into lists by latent. Pieces are released as they are used, to bound memory. */
function transpose(pieces: Piece[], counts: Uint32Array, firings: number) {
  const start = new Uint32Array(counts.length + 1);
  for (let latent = 0; latent < counts.length; latent++) start[latent + 1] = start[latent] + counts[latent];
  const next = start.slice(0, -1);
  const rows = new Uint32Array(firings);
  const values = new Float32Array(firings);
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    const { firstRow, rowStart, indices } = piece;
    for (let row = 0; row + 1 < rowStart.length; row++)
      for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
        const at = next[indices[e]]++;
        rows[at] = firstRow + row;
        values[at] = piece.values[e];
      }
  }
  return { start, rows, values };
}
