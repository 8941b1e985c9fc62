/**
 * How byte-level BPE cuts text into words before it merges, by the name a GGUF file gives it. What stands here is what the
 * tokenizer.json of the models has that the name is given to; llama.cpp's own patterns differ from it in places (it leaves
 * out Unicode normalisation), and the model was trained with the former.
 */
import type { GgufFields } from './ggufFields.ts';

export interface PreTokenizer {
  normalizer: object | null;
  pre_tokenizer: object;
  /** Whether a word that is a token is taken whole, however its merges run. */
  ignoreMerges: boolean;
  /** Where the file doesn't say whether a beginning-of-text token comes first. */
  addsBos: boolean;
}

const byteLevel = (use_regex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
const digits = { type: 'Digits', individual_digits: true };
const normalForm = { type: 'NFC' };

/** The pattern of tiktoken's cl100k, with runs of up to `digits` digits. */
const cl100k = (digits: string) =>
  sequence(
    {
      type: 'Split',
      pattern: {
        Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
      },
      behavior: 'Isolated',
      invert: false,
    },
    byteLevel(false),
  );

const plain = { normalizer: null, ignoreMerges: false, addsBos: false };
const gpt2: PreTokenizer = { ...plain, pre_tokenizer: byteLevel(true) };
const neoX: PreTokenizer = { ...gpt2, normalizer: normalForm };
const singleDigits: PreTokenizer = { ...plain, pre_tokenizer: sequence(digits, byteLevel(true)) };
const llama3: PreTokenizer = { ...plain, pre_tokenizer: cl100k('{1,3}'), ignoreMerges: true, addsBos: true };
const qwen2: PreTokenizer = { ...plain, normalizer: normalForm, pre_tokenizer: cl100k('') };

const byName: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2,
  'phi-2': gpt2,
  olmo: neoX,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  'llama-bpe': llama3,
  'llama-v3': llama3,
  llama3,
  dbrx: { ...plain, pre_tokenizer: cl100k('{1,3}') },
  qwen2,
};

/** Files without a name are older than names, and `default` is what the converter wrote for a tokenizer it didn't know. */
const byArchitecture: Readonly<Record<string, PreTokenizer>> = {
  gpt2,
  phi2: gpt2,
  gptneox: neoX,
  starcoder2: singleDigits,
  qwen2,
  qwen3: qwen2,
};

/** Throws `bad_input` for a name that isn't known, and for none where the architecture doesn't settle it. */
export function preTokenizerOf(fields: GgufFields): PreTokenizer & { pre: string } {
  const pre = fields.optionalText('tokenizer.ggml.pre') ?? 'default';
  const table = pre === 'default' ? byArchitecture : byName;
  const key = pre === 'default' ? fields.architecture : pre;
  const found = Object.hasOwn(table, key) ? table[key] : undefined;
  if (!found)
    throw fields.refuse(
      pre === 'default'
        ? `doesn't say how its tokenizer cuts words (tokenizer.ggml.pre), and models of architecture ${fields.architecture} differ in it: use the model's folder in Hugging Face layout`
        : `has a tokenizer that cuts words by '${pre}', and ${Object.keys(byName).join(', ')} are known: use the model's folder in Hugging Face layout`,
    );
  return { pre, ...found };
}
