import { LazyscopeError } from '../../errors.ts';
import type { Chunks } from './decompress.ts';

/** UTF-8 as strings, a byte order mark left out. Throws `bad_input` for bytes that are not text, naming `path`. */
export async function* decodeText(chunks: Chunks, path: string): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new LazyscopeError('bad_input', `'${path}' is not UTF-8 text: convert it first.`, { cause });
    }
  };
  for await (const chunk of chunks) {
    const text = decode(chunk);
    if (text.includes('\0'))
      throw new LazyscopeError(
        'bad_input',
        `'${path}' holds zero bytes and is not text: unpack or convert it first.`,
      );
    if (text !== '') yield text;
  }
  // Throws where the file ends within a character.
  decode();
}
