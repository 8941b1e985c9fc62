/**
 * Whether a tokenizer.json's vocabulary is what `@huggingface/tokenizers` takes it for. That library makes a list as long as
 * the largest id, and believes that what merges make is in the vocabulary.
 */

/** Ids are dense in every real vocabulary; some leave a few thousand free between the pieces and the special tokens. */
const largestGap = 1 << 16;
const mostComponents = 64;
/** Characters of what a normalizer or decoder puts in the place of others. */
const longestReplacement = 256;

/** Throws what `damaged` makes of a vocabulary, a merge or an added token that isn't one. */
export function checkVocabulary(
  model: { vocab?: unknown; merges?: unknown },
  addedIds: readonly number[],
  damaged: (why: string) => Error,
): void {
  const { vocab, merges } = model;
  let ids: Iterable<unknown>;
  let pieces: number;
  if (Array.isArray(vocab)) {
    const odd = vocab.findIndex(
      (entry) =>
        !Array.isArray(entry) ||
        typeof entry[0] !== 'string' ||
        !Number.isFinite(entry[1]) ||
        entry.length !== 2,
    );
    if (odd >= 0) throw damaged(`entry ${odd} of its vocabulary is not a piece with its score`);
    pieces = vocab.length;
    ids = addedIds;
  } else if (typeof vocab === 'object' && vocab !== null) {
    const own = Object.values(vocab);
    pieces = own.length;
    if (new Set(own).size !== pieces) throw damaged('two pieces of its vocabulary have one id');
    ids = [...own, ...addedIds];
  } else throw damaged('it has no vocabulary');
  const largest = 2 * (pieces + addedIds.length) + largestGap;
  for (const id of ids)
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0 || id > largest)
      throw damaged(
        `its vocabulary of ${pieces} pieces has the id ${typeof id === 'number' ? id : typeof id}, where 0 to ${largest} are read`,
      );
  if (merges === undefined || merges === null) return;
  if (!Array.isArray(merges)) throw damaged('its merges are not a list');
  const odd = merges.findIndex((merge) =>
    Array.isArray(merge)
      ? merge.length !== 2 || merge.some((piece) => typeof piece !== 'string')
      : typeof merge !== 'string' || !merge.includes(' '),
  );
  if (odd >= 0) throw damaged(`merge ${odd} is not a pair of pieces`);
}

/** Throws for steps before and after the model that could multiply a text without bound. */
export function checkSteps(steps: readonly unknown[], damaged: (why: string) => Error): void {
  let components = 0;
  const visit = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    if ('type' in value && ++components > mostComponents)
      throw damaged(`it has more than ${mostComponents} normalizers, pre-tokenizers and decoders`);
    for (const [key, inner] of Object.entries(value)) {
      const puts = key === 'content' || key === 'prepend' || key === 'prefix' || key === 'replacement';
      if (puts && typeof inner === 'string' && inner.length > longestReplacement)
        throw damaged(
          `its '${key}' has ${inner.length} characters, where ${longestReplacement} are the most that is read`,
        );
      visit(inner);
    }
  };
  for (const step of steps) visit(step);
}
