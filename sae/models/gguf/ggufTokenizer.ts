/**
 * The tokenizer inside a GGUF file as the tokenizer.json that it was converted from. `tokenizer.ggml.model` says the kind:
 * `gpt2` is byte-level BPE, whose way of cutting text into words has only a name in the file (`tokenizer.ggml.pre`);
 * `llama` is SentencePiece BPE with scores, which Hugging Face's converter turns into merges.
 */
import { makeTokenizer } from '../../tokens/tokenizer.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import type { GgufFields } from './ggufFields.ts';
import { preTokenizerOf } from './preTokenizers.ts';
import { mergesByScore } from './sentencePieceMerges.ts';

/** `token_type` of a token (llama.cpp's `llama_token_type`). */
const tokenType = { control: 3, userDefined: 4, unused: 5 } as const;

/** Throws `bad_input` for a kind, or a way of cutting words, that isn't known. */
export function ggufTokenizer(fields: GgufFields, source: string): Tokenizer {
  const { tokenizerJson, configJson } = tokenizerFiles(fields);
  return makeTokenizer(tokenizerJson, configJson, source);
}

/** What tokenizer.json and tokenizer_config.json would hold. */
export function tokenizerFiles(fields: GgufFields): { tokenizerJson: object; configJson: object } {
  const kind = fields.text('tokenizer.ggml.model');
  const tokens = fields.texts('tokenizer.ggml.tokens');
  const types = fields.optionalNumbers('tokenizer.ggml.token_type') ?? tokens.map(() => 1);
  const tokenAt = (key: string) => {
    const id = fields.optionalNumber(`tokenizer.ggml.${key}`);
    if (id === undefined) return undefined;
    if (tokens[id] === undefined) throw fields.refuse(`has '${key}' ${id} and ${tokens.length} tokens`);
    return { id, content: tokens[id] };
  };
  const bos = tokenAt('bos_token_id');
  const eos = tokenAt('eos_token_id');
  const { model, normalizer, pre_tokenizer, decoder, addsBos } =
    kind === 'gpt2'
      ? bytePairs(fields, tokens)
      : kind === 'llama'
        ? sentencePieces(fields, tokens)
        : refuseKind(fields, kind);
  const addBos = fields.flag('tokenizer.ggml.add_bos_token') ?? addsBos;
  if (fields.flag('tokenizer.ggml.add_eos_token') === true)
    throw fields.refuse(
      'has a tokenizer that puts an end-of-text token behind every text, which is not supported',
    );
  if (addBos && bos === undefined)
    throw fields.refuse('has a tokenizer that begins with a beginning-of-text token, and names none');
  const vocab: Record<string, number> = {};
  tokens.forEach((token, id) => {
    // Rows that only fill the embedding up.
    if (types[id] !== tokenType.unused || !/^\[PAD\d+\]$/.test(token)) vocab[token] = id;
  });
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(tokens, types),
      normalizer,
      pre_tokenizer,
      post_processor: addBos && bos ? beginningWith(bos) : null,
      decoder,
      model: { ...model, vocab },
    },
    configJson: {
      ...(bos && { bos_token: bos.content }),
      ...(eos && { eos_token: eos.content }),
      add_bos_token: addBos,
      clean_up_tokenization_spaces: false,
    },
  };
}

interface Parts {
  model: object;
  normalizer: object | null;
  pre_tokenizer: object | null;
  decoder: object;
  /** Where the file doesn't say it. */
  addsBos: boolean;
}

function bytePairs(fields: GgufFields, tokens: readonly string[]): Parts {
  const { pre, normalizer, pre_tokenizer, ignoreMerges, addsBos } = preTokenizerOf(fields);
  if (fields.flag('tokenizer.ggml.add_space_prefix') === true)
    throw fields.refuse(`has a tokenizer of kind '${pre}' that puts a space in front, which isn't known`);
  const known = new Set(tokens);
  const merges = fields.texts('tokenizer.ggml.merges').map((merge) => {
    // A piece of byte-level BPE never holds a space, so the only one is between the two.
    const at = merge.indexOf(' ', 1);
    const pair = [merge.slice(0, at), merge.slice(at + 1)];
    if (at < 1 || !pair.every((piece) => known.has(piece)))
      throw fields.refuse(`has the merge '${merge}', which is not of two tokens`);
    return pair;
  });
  return {
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      merges,
    },
    normalizer,
    pre_tokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    addsBos,
  };
}

function sentencePieces(fields: GgufFields, tokens: readonly string[]): Parts {
  const scores = fields.optionalNumbers('tokenizer.ggml.scores');
  if (scores?.length !== tokens.length)
    throw fields.refuse(`has ${tokens.length} tokens and scores for ${scores?.length ?? 0}`);
  const prefix = fields.flag('tokenizer.ggml.add_space_prefix') ?? true;
  if (fields.flag('tokenizer.ggml.remove_extra_whitespaces') === true)
    throw fields.refuse('has a tokenizer that removes repeated spaces, which is not supported');
  const unknown = fields.optionalNumber('tokenizer.ggml.unknown_token_id') ?? 0;
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  return {
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: tokens[unknown],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      merges: mergesByScore(tokens, scores),
    },
    normalizer: prefix
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, spaces] }
      : spaces,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    addsBos: true,
  };
}

function refuseKind(fields: GgufFields, kind: string): never {
  throw fields.refuse(
    `has a tokenizer of kind '${kind}', and gpt2 (byte-level BPE) and llama (SentencePiece BPE) can be read: use the model's folder in Hugging Face layout`,
  );
}

/** Tokens that are found in text before it is cut into words. */
function addedTokens(tokens: readonly string[], types: readonly number[]): object[] {
  return tokens.flatMap((content, id) =>
    types[id] === tokenType.control || types[id] === tokenType.userDefined
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: types[id] === tokenType.control,
          },
        ]
      : [],
  );
}

function beginningWith({ id, content }: { id: number; content: string }): object {
  const bos = (type_id: number) => ({ SpecialToken: { id: content, type_id } });
  const text = (part: 'A' | 'B', type_id: number) => ({ Sequence: { id: part, type_id } });
  return {
    type: 'TemplateProcessing',
    single: [bos(0), text('A', 0)],
    pair: [bos(0), text('A', 0), bos(1), text('B', 1)],
    special_tokens: { [content]: { id: content, ids: [id], tokens: [content] } },
  };
}
