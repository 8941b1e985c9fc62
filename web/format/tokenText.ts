/**
 * A token's text with visible whitespace, because a leading space distinguishes tokens, and browsers
 * do not show it.
 */
export interface TokenPiece {
  text: string;
  /** `mark`: a stand-in for something invisible, drawn fainter than the token's own letters. */
  kind: 'text' | 'mark';
}

const stands: Record<string, string> = {
  ' ': '·',
  '\n': '↵',
  '\r': '↵',
  '\t': '→',
  '\u00a0': '·',
  '\u200b': '|',
};

export function tokenPieces(text: string): TokenPiece[] {
  if (text === '') return [{ text: '∅', kind: 'mark' }];
  const pieces: TokenPiece[] = [];
  for (const character of text) {
    const stand = stands[character] ?? (character === restOfCharacter ? character : control(character));
    const kind = stand === undefined ? 'text' : 'mark';
    const last = pieces.at(-1);
    if (last?.kind === kind) last.text += stand ?? character;
    else pieces.push({ text: stand ?? character, kind });
  }
  return pieces;
}

/** Tokens that tokenizers add to a text: `<|endoftext|>`, `<s>`, `[CLS]` … */
const special = /^(<\|.+\|>|<\/?(s|bos|eos|pad|unk)>|\[(CLS|SEP|PAD|UNK|MASK)\])$/;

/** The same for running text, where spaces between words stay plain spaces, so that lines break as usual. */
export function runningPieces(text: string): TokenPiece[] {
  // Tokens that mark the beginning or the end of a text are drawn fainter.
  if (special.test(text)) return [{ text, kind: 'mark' }];
  return tokenPieces(text).map((piece) =>
    piece.kind === 'mark' && /^·+$/.test(piece.text)
      ? { text: ' '.repeat(piece.text.length), kind: 'text' }
      : piece,
  );
}

/** Drawn for a token that holds only the rest of a character that began in the token before it. */
export const restOfCharacter = '\u203f';

const byte = /\\x([0-9A-F]{2})/y;

/**
 * Texts of neighbouring tokens with characters joined that byte tokens split: `\\xE6\\x97`, `\\xA5` become 日 and the sign for
 * the rest of it. Each token keeps its place, so that it keeps its shade. Bytes that make no character stay as they are.
 */
export function joinSplitCharacters(texts: readonly string[]): string[] {
  const joined = [...texts];
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let first = 0; first < texts.length; first++) {
    const start = trailingBytes(joined[first]);
    const wanted = characterLength(start.bytes[0]);
    if (wanted === 0) continue;
    const bytes = [...start.bytes];
    let next = first + 1;
    // Only whole tokens of bytes, and the bytes at the head of the token that completes the character.
    while (bytes.length < wanted && next < joined.length) {
      const lead = leadingBytes(joined[next]);
      if (lead.bytes.length === 0) break;
      bytes.push(...lead.bytes.slice(0, wanted - bytes.length));
      next++;
      if (lead.rest !== '') break;
    }
    if (bytes.length !== wanted || next === first + 1) continue;
    try {
      const character = decoder.decode(Uint8Array.from(bytes));
      let left = wanted - start.bytes.length;
      joined[first] = start.before + character;
      for (let at = first + 1; at < next; at++) {
        const lead = leadingBytes(joined[at]);
        const used = Math.min(left, lead.bytes.length);
        joined[at] = restOfCharacter + joined[at].slice(4 * used);
        left -= used;
      }
    } catch {
      // Not a character after all.
    }
  }
  return joined;
}

/** The bytes written at the end of a token's text from the last one on that begins a character. */
function trailingBytes(text: string): { before: string; bytes: number[] } {
  const tail = /(?:\\x[0-9A-F]{2})+$/.exec(text);
  if (!tail) return { before: text, bytes: [] };
  const bytes = leadingBytes(tail[0]).bytes;
  const lead = bytes.findLastIndex((one) => characterLength(one) > 0);
  if (lead < 0 || bytes.length - lead >= characterLength(bytes[lead])) return { before: text, bytes: [] };
  return { before: text.slice(0, tail.index + 4 * lead), bytes: bytes.slice(lead) };
}

function leadingBytes(text: string): { bytes: number[]; rest: string } {
  const bytes: number[] = [];
  byte.lastIndex = 0;
  for (let found = byte.exec(text); found; found = byte.exec(text)) bytes.push(Number.parseInt(found[1], 16));
  return { bytes, rest: text.slice(4 * bytes.length) };
}

/** How many bytes the character has that begins with this one; 0 if none of several bytes does. */
function characterLength(first: number | undefined): number {
  if (first === undefined) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/** The token with visible whitespace as one string, for titles, charts and screen readers. */
export function visibleToken(text: string): string {
  return tokenPieces(text)
    .map((piece) => piece.text)
    .join('');
}

/**
 * After which tokens to break the line, as the text did; but empty lines are not worth the room they take, so
 * a run of line ends breaks once and one before any text not at all.
 */
export function lineBreaks(texts: readonly string[]): boolean[] {
  let written = false;
  return texts.map((text) => {
    if (!text.includes('\n')) {
      written = true;
      return false;
    }
    const ends = written || text.trim() !== '';
    written = false;
    return ends;
  });
}

/** `\\x0b`: the picture characters for these are in few fonts. */
function control(character: string): string | undefined {
  const code = character.codePointAt(0) ?? 0;
  const invisible = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0xad || code === 0xfffd;
  return invisible ? `\\x${code.toString(16).padStart(2, '0')}` : undefined;
}
