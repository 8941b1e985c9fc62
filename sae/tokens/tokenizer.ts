/** Text ↔ token ids by the model's own tokenizer.json, through `@huggingface/tokenizers`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { bertText } from './bertText.ts';
import { readJsonFile, vocabularyJson } from '../formats/parseJson.ts';
import { checkSteps, checkVocabulary } from './checkVocabulary.ts';
import { pieceBytes, showBytes } from './byteLevel.ts';
import { unicodeDigits } from './unicodeDigits.ts';
import { byteFallback } from './unigramByteFallback.ts';

/** From text to token ids and back, as the model was trained with. */
export interface Tokenizer {
  /** Ids run from 0 to vocabularySize − 1 (a model's embedding may have more rows than that). */
  readonly vocabularySize: number;
  /** A beginning-of-text token is put first when the model's tokenizer does so, unless `special` is false. */
  encode(text: string, options?: { special?: boolean }): number[];
  /** Special tokens are left out. */
  decode(ids: ArrayLike<number>): string;
  /** A token as people should see it: its text with a leading space kept; parts of characters as \xE2. */
  tokenText(id: number): string;
  readonly bosId?: number;
  readonly eosId?: number;
  /** The token that ends a text where the tokeniser puts one there, as BERT's does. */
  readonly closingId?: number;
  /** Tokens that the tokenizer calls special, ascending. */
  readonly specialIds?: readonly number[];
}

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const configSchema = z.looseObject({
  bos_token: specialToken,
  eos_token: specialToken,
  cls_token: specialToken,
  sep_token: specialToken,
  clean_up_tokenization_spaces: z.boolean().nullish(),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z
    .array(
      z.looseObject({
        id: z.int(),
        content: z.string(),
        special: z.boolean().nullish(),
        single_word: z.boolean().nullish(),
      }),
    )
    .nullish(),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: z.unknown(),
    byte_fallback: z.boolean().nullish(),
    continuing_subword_prefix: z.string().nullish(),
  }),
  decoder: z.unknown(),
  pre_tokenizer: z.unknown(),
  normalizer: z.unknown(),
  post_processor: z.unknown(),
});

/** Reads tokenizer.json and, when there is one, tokenizer_config.json. Throws `not_found` or `corrupt`. */
export function loadTokenizer(folder: string): Tokenizer {
  const path = join(folder, 'tokenizer.json');
  if (!existsSync(path))
    throw new LazyscopeError('not_found', `'${folder}' has no tokenizer.json: copy the model's own there.`);
  const configPath = join(folder, 'tokenizer_config.json');
  return makeTokenizer(
    readJsonFile(path, vocabularyJson),
    existsSync(configPath) ? readJsonFile(configPath) : {},
    path,
  );
}

/** A tokenizer from the parsed files; `source` names them in errors. */
export function makeTokenizer(tokenizerJson: unknown, configJson: unknown, source: string): Tokenizer {
  const damaged = (why: string, cause?: unknown) =>
    new LazyscopeError('corrupt', `'${source}' is not a tokenizer that can be read: ${why}.`, { cause });
  const definition = tokenizerSchema.safeParse(tokenizerJson);
  if (!definition.success) throw damaged('it has no model');
  const config = configSchema.safeParse(configJson);
  if (!config.success) throw damaged('its tokenizer_config.json has special tokens of the wrong type');
  const single = definition.data.added_tokens?.find((token) => token.single_word);
  if (single)
    throw new LazyscopeError(
      'bad_input',
      `'${source}' has the added token '${single.content}' with single_word, which is not supported: set it to false if the token may also stand inside a word.`,
    );
  const {
    model,
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: postProcessor,
    decoder,
  } = definition.data;
  checkVocabulary(
    model,
    (definition.data.added_tokens ?? []).map((token) => token.id),
    damaged,
  );
  checkSteps([normalizer, preTokenizer, postProcessor, decoder], damaged);
  let inner: HuggingFaceTokenizer;
  try {
    const pre_tokenizer = unicodeDigits(definition.data.pre_tokenizer);
    inner = new HuggingFaceTokenizer({ ...definition.data, pre_tokenizer }, config.data);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }

  /** What the library stumbles over is in the file: the text may be any. */
  const run = <Result>(what: string, work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw damaged(`it can't ${what} (${error instanceof Error ? error.message : String(error)})`, error);
    }
  };
  const idOf = (token: z.infer<typeof specialToken>) => {
    if (token === null || token === undefined) return undefined;
    return inner.token_to_id(typeof token === 'string' ? token : token.content);
  };
  const wordPiece = definition.data.model.type === 'WordPiece';
  // BERT's tokeniser begins and ends texts with tokens of other names.
  const bosId = idOf(config.data.bos_token) ?? (wordPiece ? idOf(config.data.cls_token) : undefined);
  const closingId = wordPiece ? idOf(config.data.sep_token) : undefined;
  const eosId = idOf(config.data.eos_token);
  const special = new Set([...inner.get_added_tokens_decoder()].map(([id]) => id));
  const specialIds = (definition.data.added_tokens ?? [])
    .flatMap((token) => (token.special === true ? [token.id] : []))
    .sort((a, b) => a - b);
  let vocabularySize = 0;
  for (const id of inner.get_vocab(true).values()) vocabularySize = Math.max(vocabularySize, id + 1);
  const { type, byte_fallback: fallsBack } = definition.data.model;
  // As in transformers: only where it is asked for, and never for BPE, whose spaces are the text's own.
  const cleansUp = config.data.clean_up_tokenization_spaces === true && type !== 'BPE';
  const continues = definition.data.model.continuing_subword_prefix ?? '##';
  const prepared = bertText(definition.data.normalizer) ?? ((text: string) => text);
  const unknownBytes = type === 'Unigram' && fallsBack ? byteFallback(inner) : undefined;
  const byteLevel = mentions(definition.data.decoder, 'ByteLevel');
  const bytePieces = mentions(definition.data.decoder, 'ByteFallback');

  return {
    vocabularySize,
    bosId,
    eosId,
    ...(closingId === undefined ? {} : { closingId }),
    specialIds,
    encode(text, options) {
      // Whether a beginning is added is the post-processor's to say: transformers does not read add_bos_token where
      // there is a tokenizer.json.
      const { ids, tokens } = run('encode', () =>
        inner.encode(prepared(text), { add_special_tokens: options?.special !== false }),
      );
      const found = unknownBytes ? unknownBytes(tokens) : ids;
      const hole = found.findIndex((id: number) => !Number.isSafeInteger(id));
      if (hole >= 0) throw damaged(`it makes the piece '${tokens[hole]}', which has no id in its vocabulary`);
      return found;
    },
    decode(ids) {
      // A model's embedding may have more rows than there are tokens; `tokenizers` leaves such ids out too.
      const given = Array.from(ids).filter((id) => inner.id_to_token(id) !== undefined);
      if (given.length === 0) return '';
      return run('decode', () =>
        inner.decode(given, { skip_special_tokens: true, clean_up_tokenization_spaces: cleansUp }),
      );
    },
    tokenText(id) {
      const piece = inner.id_to_token(id);
      if (piece === undefined)
        throw new LazyscopeError('bad_input', `Token ${id} is not in the vocabulary of '${source}'.`);
      if (special.has(id)) return piece;
      if (wordPiece) return piece.startsWith(continues) ? piece.slice(continues.length) : ` ${piece}`;
      if (byteLevel) {
        const bytes = pieceBytes(piece);
        return bytes ? showBytes(bytes) : piece;
      }
      const byte = bytePieces ? /^<0x([0-9A-F]{2})>$/.exec(piece) : null;
      if (byte) return showBytes(Uint8Array.of(Number.parseInt(byte[1], 16)));
      return piece.replaceAll('▁', ' ');
    },
  };
}

/** Whether a component of tokenizer.json is of a type, or a sequence with one that is. */
function mentions(component: unknown, type: string): boolean {
  return JSON.stringify(component ?? null).includes(`"type":"${type}"`);
}
