/** Different words of a capture's text, each at one of its places. */
import type { SelectedRows } from '../activations/selectRows.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import { Random } from '../numerics/random.ts';
import { pause } from '../pause.ts';
import { tf } from '../tensor/tf.ts';
import type { Words } from './absorption.ts';

export interface WordOptions {
  rows: SelectedRows;
  hook: HookPoint;
  autoencoder: Autoencoder;
  /** The text of a token, with a leading space kept. */
  tokenText: (id: number) => string;
  most: number;
  signal?: AbortSignal | undefined;
}

const rowsAtOnce = 2048;
const trainShare = 0.8;

/**
 * A token counts as a word where it is letters from A to Z alone, with or without a space before them (SAEBench's `get_alpha_tokens`). Each
 * stands at one of its rows, drawn at random; four fifths of the words are to learn from.
 */
export async function firstLetterWords(options: WordOptions): Promise<Words> {
  const { rows, hook, autoencoder, tokenText, most, signal } = options;
  const random = Random.fromSeed(0, 'first letters');
  const { contextLength } = rows.manifest;
  const found = new Map<number, { seen: number; row: number }>();
  const letterOf = new Map<number, number>();
  const all = rows.trainRows + rows.heldOutRows;
  for (let row = 0; row < all; row++) {
    const { context, position } = rows.rowToken(row);
    const token = rows.tokens[context * contextLength + position];
    if (token < 0) continue;
    let letter = letterOf.get(token);
    if (letter === undefined) {
      const word = /^ ?([A-Za-z])[A-Za-z]*$/.exec(tokenText(token));
      letter = word ? word[1].toLowerCase().charCodeAt(0) - 97 : -1;
      letterOf.set(token, letter);
    }
    if (letter < 0) continue;
    const known = found.get(token);
    if (!known) found.set(token, { seen: 1, row });
    else if (random.below(++known.seen) === 0) known.row = row;
    if (row % 100_000 === 0) await pause(signal, 'looking for words');
  }
  const tokens = [...found.keys()].sort((a, b) => a - b);
  const drawn = Array.from(random.permutation(tokens.length).subarray(0, most), (i) => tokens[i]);
  const places = Uint32Array.from(drawn, (token) => found.get(token)!.row);
  const { d, latents } = autoencoder;
  const x = new Float32Array(places.length * d);
  rows.gatherRows(hook, places, x);
  const rowStart = new Int32Array(places.length + 1);
  const indices: Int32Array[] = [];
  const values: Float32Array[] = [];
  for (let from = 0; from < places.length; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, places.length - from);
    const input = tf.tensor2d(x.subarray(from * d, (from + count) * d), [count, d]);
    const code = autoencoder.encode(input);
    input.dispose();
    for (let n = 0; n < count; n++) rowStart[from + n + 1] = rowStart[from] + code.rowStart[n + 1];
    indices.push(code.indices.slice(0, code.rowStart[count]));
    values.push(code.values.slice(0, code.rowStart[count]));
    await pause(signal, 'encoding words');
  }
  const numbers = Array.from(places.keys());
  const split = Math.round(trainShare * numbers.length);
  return {
    x: { rows: places.length, width: d, values: x },
    codes: {
      rows: places.length,
      width: latents,
      rowStart,
      indices: joined(indices, Int32Array),
      values: joined(values, Float32Array),
    },
    letters: Uint8Array.from(drawn, (token) => letterOf.get(token)!),
    train: numbers.slice(0, split),
    test: numbers.slice(split),
  };
}

function joined<T extends Int32Array | Float32Array>(
  parts: readonly T[],
  kind: { new (length: number): T },
): T {
  const out = new kind(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
