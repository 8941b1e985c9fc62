/**
 * The pre-tokenizer `Digits` as Hugging Face's tokenizers has it: every number of Unicode is a digit (², ½, Ⅷ), where the
 * library that we use takes ASCII's alone. The same cut is written as a pattern instead.
 */
export function unicodeDigits(preTokenizer: unknown): unknown {
  if (typeof preTokenizer !== 'object' || preTokenizer === null) return preTokenizer;
  const given: { type?: unknown; individual_digits?: unknown; pretokenizers?: unknown } = preTokenizer;
  if (given.type === 'Sequence' && Array.isArray(given.pretokenizers))
    return { ...given, pretokenizers: given.pretokenizers.map(unicodeDigits) };
  if (given.type !== 'Digits') return preTokenizer;
  const pattern = { Regex: given.individual_digits === true ? '\\p{N}' : '\\p{N}+' };
  return { type: 'Split', pattern, behavior: 'Isolated', invert: false };
}
