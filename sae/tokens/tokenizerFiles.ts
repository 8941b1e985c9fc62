/** tokenizer.json and tokenizer_config.json of a learnt byte-level vocabulary, as Hugging Face's libraries read them. */
import type { BytePairVocabulary } from './bytePairEncoding.ts';

export const endOfText = '<|endoftext|>';
/** The first piece of every vocabulary learnt here. */
export const endOfTextId = 0;

export function tokenizerJson({ pieces, merges, specialTokens }: BytePairVocabulary): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: pieces.slice(0, specialTokens).map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    // Models trained here have seen <|endoftext|> first in every context.
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: endOfText, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: endOfText, type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { [endOfText]: { id: endOfText, ids: [endOfTextId], tokens: [endOfText] } },
    },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: merges.map(([a, b]) => `${pieces[a]} ${pieces[b]}`),
    },
  };
}

export function tokenizerConfigJson(contextLength: number): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: endOfText,
    eos_token: endOfText,
    unk_token: endOfText,
    add_bos_token: true,
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    model_max_length: contextLength,
  };
}
