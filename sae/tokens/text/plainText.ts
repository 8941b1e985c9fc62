/** Plain text of any size as pieces of documents. */
import { endOfText } from '../tokenizerFiles.ts';

/** A stretch of a document, and whether the document begins with it. */
export interface Piece {
  text: string;
  startsDocument: boolean;
}

/** Characters of a line from which on it is passed on before its end has come. */
const longLine = 1 << 20;

/**
 * A line `<|endoftext|>` separates documents, as in the TinyStories corpus. CRLF becomes LF, and white space around a
 * document is dropped. Pieces end before a line break that follows something visible, except within lines beyond a million
 * characters.
 */
export async function* plainTextPieces(strings: AsyncIterable<string>): AsyncGenerator<Piece, void, void> {
  const document = new Trimmed();
  let starts = true;
  let kept = '';
  /** Whether what is kept continues a line that was passed on in part. */
  let withinLine = false;
  const passOn = function* (text: string): Generator<Piece> {
    // The first line can't be a separator if its beginning has gone.
    const lineEnd = withinLine ? lineLength(text) : 0;
    const parts = text.slice(lineEnd).split(/^<\|endoftext\|>\s*$/m);
    parts[0] = text.slice(0, lineEnd) + parts[0];
    for (const [i, part] of parts.entries()) {
      if (i > 0) {
        document.end();
        starts = true;
      }
      const tidied = document.add(part);
      if (tidied === '') continue;
      yield { text: tidied, startsDocument: starts };
      starts = false;
    }
  };
  for await (const text of strings) {
    const lineEnd = text.lastIndexOf('\n') + 1;
    const before = kept.length;
    kept += text;
    const ready = lineEnd > 0 ? before + lineEnd : kept.length >= longLine ? kept.length : 0;
    if (ready === 0) continue;
    yield* passOn(kept.slice(0, ready));
    withinLine = lineEnd === 0;
    kept = kept.slice(ready);
  }
  yield* passOn(kept);
}

function lineLength(text: string): number {
  const end = text.search(/[\n\r\u2028\u2029]/);
  return end < 0 ? text.length : end;
}

/** Documents that are known already, tidied in the same way; those without anything visible are left out. */
export function tidy(document: string): string {
  return document.replaceAll('\r\n', '\n').trim();
}

/** `tidy` for a document that comes in pieces. */
class Trimmed {
  #begun = false;
  /** White space that is left out if nothing follows. */
  #space = '';
  /** A carriage return whose line feed may be in the next piece. */
  #carriage = '';

  add(piece: string): string {
    const whole = this.#carriage + piece;
    this.#carriage = whole.endsWith('\r') ? '\r' : '';
    const lines = whole.slice(0, whole.length - this.#carriage.length).replaceAll('\r\n', '\n');
    const text = this.#begun ? this.#space + lines : lines.trimStart();
    const visible = text.trimEnd();
    if (visible === '') {
      this.#space = text;
      return '';
    }
    this.#begun = true;
    this.#space = text.slice(visible.length);
    return visible;
  }

  end(): void {
    this.#begun = false;
    this.#space = '';
    this.#carriage = '';
  }
}

/** A document cut where the token that separates documents is written out in it: for learning a vocabulary, in which it stands for nothing else. */
export function* cutAtSeparators({ text, startsDocument }: Piece): Generator<Piece> {
  let starts = startsDocument;
  for (const [i, part] of text.split(endOfText).entries()) {
    if (i > 0) starts = true;
    if (part.trim() === '') continue;
    yield { text: part, startsDocument: starts };
    starts = false;
  }
}
