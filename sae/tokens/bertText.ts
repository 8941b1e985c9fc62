/**
 * Where BERT's normalizer in `@huggingface/tokenizers` differs from Hugging Face's tokenizers, the text is changed beforehand so that both
 * give the same: ideographs beyond the basic plane are words of their own, and Σ becomes σ at the end of words too.
 */
const ideographs =
  /[\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu;

/** The change that a normalizer of tokenizer.json asks for; undefined where it is not BERT's. */
export function bertText(normalizer: unknown): ((text: string) => string) | undefined {
  if (typeof normalizer !== 'object' || normalizer === null) return undefined;
  if (!('type' in normalizer) || normalizer.type !== 'BertNormalizer') return undefined;
  const lowers = !('lowercase' in normalizer) || normalizer.lowercase !== false;
  const separates = !('handle_chinese_chars' in normalizer) || normalizer.handle_chinese_chars !== false;
  return (text) => {
    const spaced = separates ? text.replace(ideographs, ' $& ') : text;
    return lowers ? spaced.replaceAll('Σ', 'σ') : spaced;
  };
}
