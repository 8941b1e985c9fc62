/**
 * Rows of two captures that belong to the same place of the same text: token by token where both have the same tokens, and otherwise where a
 * token of each ends at the same character. So activations of two models can be compared although their vocabularies differ.
 */
import type { SelectedRows } from '../../activations/selectRows.ts';
import { LazyscopeError } from '../../errors.ts';
import type { CaptureManifest } from '../../spec/manifests/capture.ts';
import { shuffledOrder } from '../../tokens/packTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';

export interface AlignedSide {
  readonly name: string;
  readonly rows: SelectedRows;
  /** Of the capture's model; null where it isn't known. */
  readonly tokenizer: Tokenizer | null;
}

export interface AlignedRows {
  readonly by: 'tokens' | 'text';
  /** Row numbers of held-out rows, pair by pair in the order of the text. */
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/** Throws 'bad_input' for captures of different texts, and where tokens differ and a tokenizer isn't known or changes the text. */
export function alignRows(a: AlignedSide, b: AlignedSide): AlignedRows {
  const [ofA, ofB] = [a.rows.manifest, b.rows.manifest];
  if (a.rows.tokens.includes(-1) || b.rows.tokens.includes(-1)) {
    const unknown = a.rows.tokens.includes(-1) ? a : b;
    throw new LazyscopeError(
      'bad_input',
      `It isn't known which tokens the activations of capture '${unknown.name}' are of: capture them with --model, or with their tokens.`,
    );
  }
  const same =
    ofA.contextLength === ofB.contextLength &&
    a.rows.tokens.length === b.rows.tokens.length &&
    a.rows.tokens.every((token, at) => token === b.rows.tokens[at]);
  if (same)
    return joined(
      'tokens',
      placesOf(a.rows, (token) => token),
      placesOf(b.rows, (token) => token),
    );
  if (ofA.text.sha256 !== ofB.text.sha256 && ofA.text.source === ofB.text.source)
    throw new LazyscopeError(
      'bad_input',
      `Captures '${a.name}' and '${b.name}' have read different parts of '${ofA.text.source}' (${figures(ofA)}, and ${figures(ofB)}), or two versions of it: capture both to the end of one text or, with one tokenizer, with the same --max-tokens.`,
    );
  if (ofA.text.sha256 !== ofB.text.sha256)
    throw new LazyscopeError(
      'bad_input',
      `Captures '${a.name}' and '${b.name}' are of different texts ('${ofA.text.source}' and '${ofB.text.source}'): capture both models on one text.`,
    );
  const [endsA, endsB] = [tokenEnds(a), tokenEnds(b)];
  const common = Math.min(endsA.bytes.length, endsB.bytes.length);
  for (let at = 0; at < common; at++)
    if (endsA.bytes[at] !== endsB.bytes[at])
      throw new LazyscopeError(
        'bad_input',
        `The tokens of captures '${a.name}' and '${b.name}' spell the text differently from character ${at} on, so that places can't be matched: capture with models whose tokenizers keep the text as it is.`,
      );
  return joined(
    'text',
    placesOf(a.rows, (token) => endsA.ends[token]),
    placesOf(b.rows, (token) => endsB.ends[token]),
  );
}

const figures = ({ contexts, contextLength }: AlignedSide['rows']['manifest']) =>
  `${contexts} contexts of ${contextLength} tokens`;

/** By place, the held-out row; a place that several rows have is that of the first, and −1 is none. */
function placesOf(rows: SelectedRows, placeOf: (token: number) => number): Map<number, number> {
  const { contextLength } = rows.manifest;
  const found = new Map<number, number>();
  for (let row = rows.trainRows; row < rows.trainRows + rows.heldOutRows; row++) {
    const { context, position } = rows.rowToken(row);
    const place = placeOf(context * contextLength + position);
    if (place >= 0 && !found.has(place)) found.set(place, row);
  }
  return found;
}

function joined(
  by: AlignedRows['by'],
  a: ReadonlyMap<number, number>,
  b: ReadonlyMap<number, number>,
): AlignedRows {
  const places = [...a.keys()].filter((place) => b.has(place)).sort((x, y) => x - y);
  return {
    by,
    a: Uint32Array.from(places, (place) => a.get(place)!),
    b: Uint32Array.from(places, (place) => b.get(place)!),
  };
}

/**
 * The bytes of the text that the tokens spell, without white space (which tokenizers add at the start of a text), and where each token
 * ends among them; −1 for a token that adds nothing.
 */
function tokenEnds({ name, rows: { tokens, manifest }, tokenizer }: AlignedSide): {
  bytes: Uint8Array;
  ends: Int32Array;
} {
  if (!tokenizer)
    throw new LazyscopeError(
      'bad_input',
      `The tokenizer of capture '${name}' isn't known, and the two captures have different tokens: put its model back into the data folder.`,
    );
  const skipped = new Set([
    ...(manifest.specialTokens ?? tokenizer.specialIds ?? []),
    ...[tokenizer.bosId, tokenizer.eosId, manifest.packing?.separator].filter((id) => typeof id === 'number'),
  ]);
  const spelt = new Map<number, Uint8Array>();
  const bytesOf = (id: number) => {
    let own = spelt.get(id);
    if (!own)
      spelt.set(id, (own = skipped.has(id) ? new Uint8Array() : visibleBytes(tokenizer.tokenText(id))));
    return own;
  };
  const ends = new Int32Array(tokens.length).fill(-1);
  let length = 0;
  const order = textOrder(manifest);
  for (const at of order) {
    const own = bytesOf(tokens[at]).length;
    length += own;
    if (own > 0) ends[at] = length;
  }
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (const at of order) {
    bytes.set(bytesOf(tokens[at]), filled);
    filled += bytesOf(tokens[at]).length;
  }
  return { bytes, ends };
}

/** The places of tokens in the order of the text. A capture of a model shuffles its contexts, one of another program's activations doesn't. */
function textOrder({ contexts, contextLength, imported }: CaptureManifest): Int32Array {
  const order = new Int32Array(contexts * contextLength);
  const shuffled = imported ? Uint32Array.from({ length: contexts }, (_, at) => at) : shuffledOrder(contexts);
  shuffled.forEach((from, to) => {
    for (let k = 0; k < contextLength; k++) order[from * contextLength + k] = to * contextLength + k;
  });
  return order;
}

/** A token's bytes but white space; parts of characters are written as \xE2. */
function visibleBytes(text: string): Uint8Array {
  const parts = text.split(/(\\x[0-9A-F]{2})/).map((part) => {
    const byte = /^\\x([0-9A-F]{2})$/.exec(part);
    return byte
      ? Uint8Array.of(Number.parseInt(byte[1], 16))
      : new TextEncoder().encode(part.replaceAll(/\s/gu, ''));
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
