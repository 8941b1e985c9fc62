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
    const stand = stands[character] ?? control(character);
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
