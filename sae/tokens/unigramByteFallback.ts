/**
 * Byte fallback of Unigram tokenizers, which `@huggingface/tokenizers` has for BPE alone: characters that no piece covers
 * become the pieces of their UTF-8 bytes, <0xE2> and so on, instead of one unknown token.
 */
import type { Tokenizer } from '@huggingface/tokenizers';

const encoder = new TextEncoder();

/**
 * Ids of the tokens that `encode` gives, where an unknown one is the text it stands for. As in Hugging Face's `tokenizers`,
 * neighbouring unknown characters are one unknown token when the vocabulary lacks one of their bytes.
 */
export function byteFallback(tokenizer: Tokenizer): (tokens: readonly string[]) => number[] {
  const { model } = tokenizer;
  // Fused, all but the first of several unknown characters would be lost.
  if (model) model.fuse_unk = false;
  const pieces = tokenizer.get_vocab(true);
  const unknown = model?.unk_token_id;
  return (tokens) => {
    const ids: number[] = [];
    let pending = '';
    const flush = () => {
      if (pending === '') return;
      const bytes = Array.from(encoder.encode(pending), (byte) =>
        pieces.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
      );
      const whole = bytes.filter((id) => id !== undefined);
      if (whole.length === bytes.length) ids.push(...whole);
      else if (unknown !== undefined) ids.push(unknown);
      pending = '';
    };
    for (const token of tokens) {
      const id = pieces.get(token);
      if (id === undefined) pending += token;
      else {
        flush();
        ids.push(id);
      }
    }
    flush();
    return ids;
  };
}
