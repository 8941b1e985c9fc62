/**
 * The byte ↔ character table of byte-level BPE: every byte is written as one printable character, so that
 * a vocabulary is text. Source: OpenAI's GPT-2 encoder.py, `bytes_to_unicode`.
 */
const printable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** Character of each byte. */
export const byteCharacters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
})();

const bytesByCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** The bytes a byte-level piece stands for, or undefined when it is not written in that alphabet. */
export function pieceBytes(piece: string): Uint8Array | undefined {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = bytesByCharacter.get(piece[i]);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/**
 * Text for people: bytes that are not whole UTF-8 characters are written \xE2, because a token often
 * holds only a part of one.
 */
export function showBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return [...bytes]
      .map((byte) =>
        byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      )
      .join('');
  }
}
