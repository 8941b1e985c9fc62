/**
 * Answers of the server as files of a published site: JSON without what can be put back. The text of a token, which goes wherever its id does, is left out,
 * and numbers of 32 bits are written with the digits that tell them apart from other numbers of 32 bits. Both are put back exactly.
 */

/** Whatever JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The text of a token by its id. */
export type TextOf = (id: number) => string;

/** The answer in fewer bytes; `unpackAnswer` with the same texts gives it back. */
export function packAnswer(value: Json, text: TextOf): Json {
  if (typeof value === 'number') return packNumber(value);
  if (value === null || typeof value !== 'object') return value;
  if (isList(value))
    return value.length > 0 && value.every((one) => isToken(one, text) && Object.keys(one).length === 2)
      ? { T: value.map((one) => (isToken(one, text) ? one.id : null)) }
      : value.map((one) => packAnswer(one, text));
  const entries = Object.entries(value);
  const kept = isToken(value, text) ? entries.filter(([name]) => name !== 'text') : entries;
  return Object.fromEntries(kept.map(([name, one]) => [name, packAnswer(one, text)]));
}

/** The answer as the server gave it. */
export function unpackAnswer(packed: Json, text: TextOf): Json {
  if (typeof packed === 'number') return Number.isInteger(packed) ? packed : Math.fround(packed);
  if (packed === null || typeof packed !== 'object') return packed;
  if (isList(packed)) return packed.map((one) => unpackAnswer(one, text));
  const entries = Object.entries(packed);
  if (entries.length === 1) {
    const [name, one] = entries[0];
    if (name === 'D') return one;
    if (name === 'T' && isList(one))
      return one.map((id) => (typeof id === 'number' ? { id, text: text(id) } : null));
  }
  const lacksText = typeof packed['id'] === 'number' && !('text' in packed);
  return Object.fromEntries(
    entries.flatMap(([name, one]): [string, Json][] =>
      name === 'id' && lacksText && typeof one === 'number'
        ? [
            [name, one],
            ['text', text(one)],
          ]
        : [[name, unpackAnswer(one, text)]],
    ),
  );
}

function packNumber(value: number): Json {
  if (Number.isInteger(value)) return value;
  if (Math.fround(value) !== value) return { D: value };
  // Nine digits tell any two numbers of 32 bits apart.
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value && !Number.isInteger(short)) return short;
  }
  return { D: value };
}

function isToken(value: Json, text: TextOf): value is { id: number; text: string } {
  if (value === null || typeof value !== 'object' || isList(value)) return false;
  const id: Json | undefined = value['id'];
  return typeof id === 'number' && Number.isInteger(id) && value['text'] === text(id);
}

/** `Array.isArray` doesn't know arrays that nobody may change. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
