/**
 * JSON of files that somebody else may have made, within a budget. A few characters of text become objects of some hundred
 * bytes, and readers walk a document by recursion, so the number of values and their depth are counted before it is parsed.
 */
import { closeSync, readSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import { openFile } from './openFile.ts';

export interface JsonBudget {
  /** Of the text, in UTF-8. */
  bytes: number;
  /** Values of any kind, keys not counted. */
  values: number;
  /** Lists and objects in one another. */
  depth: number;
}

/** Configurations, indexes and the like: the largest real ones have some hundred thousand values. */
export const smallJson: JsonBudget = { bytes: 64 << 20, values: 2_000_000, depth: 64 };
/** Vocabularies: of a million pieces with as many merges, each a pair. */
export const vocabularyJson: JsonBudget = { bytes: 512 << 20, values: 10_000_000, depth: 64 };

/** Throws `not_found`, `bad_input` for what is no file, and `corrupt` as `parseJson` does. */
export function readJsonFile(path: string, budget: JsonBudget = smallJson): unknown {
  const { fd, size } = openFile(path);
  try {
    if (size > budget.bytes) throw exceeds(path, `${size} bytes`, budget.bytes);
    const bytes = Buffer.alloc(size);
    let filled = 0;
    while (filled < size) {
      const read = readSync(fd, bytes, filled, size - filled, filled);
      if (read === 0) break;
      filled += read;
    }
    return parseJson(bytes.toString('utf8', 0, filled), path, budget);
  } finally {
    closeSync(fd);
  }
}

/** Throws `corrupt` naming `source` for what is not JSON, and for what goes beyond the budget, saying which part of it. */
export function parseJson(text: string, source: string, budget: JsonBudget = smallJson): unknown {
  if (text.length > budget.bytes) throw exceeds(source, `${text.length} characters`, budget.bytes);
  const { values, depth } = measure(text);
  if (values > budget.values) throw exceeds(source, `${values} values`, budget.values);
  if (depth > budget.depth) throw exceeds(source, `lists in lists, ${depth} deep`, budget.depth);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LazyscopeError(
      'corrupt',
      `'${source}' is not JSON: it is truncated or damaged; fetch it again.`,
      {
        cause,
      },
    );
  }
}

function exceeds(source: string, found: string, most: number): LazyscopeError {
  return new LazyscopeError(
    'corrupt',
    `'${source}' has ${found}, more than the ${most} that are read of such a file: check that it is the file you mean.`,
  );
}

/** What the text would come to if it is JSON; of other texts anything. */
function measure(text: string): { values: number; depth: number } {
  let [values, depth, deepest] = [1, 0, 0];
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        break;
      case 0x2c: // ,
        values++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        values++;
        deepest = Math.max(deepest, ++depth);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      default:
    }
  }
  return { values, depth: deepest };
}

/** Where the quote is that ends the string which begins at `at`. */
function endOfString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
