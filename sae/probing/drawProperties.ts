/** Documents of two properties at once, as many of each of the four combinations. */
import { LazyscopeError } from '../errors.ts';
import type { LabelledDocument } from '../tokens/text/labelledDocuments.ts';
import { drawDocuments, type ClassTexts } from './drawDocuments.ts';

export interface PropertyTexts {
  /** The two values of the class and of the second field, in the order of their names. */
  first: [string, string];
  second: [string, string];
  /** Both first values; the first value of the class with the second of the other field; the other way round; both second values. */
  classes: ClassTexts[];
}

/** As `drawDocuments` draws, by class and second field together. Throws `bad_input` where these don't have two values each that all occur together. */
export async function drawProperties(
  documents: AsyncIterable<LabelledDocument>,
  most: number,
  signal: AbortSignal | undefined,
): Promise<PropertyTexts> {
  const drawn = await drawDocuments(together(documents), most, signal);
  const pairs = drawn.map(({ name }): unknown => JSON.parse(name)) as [string, string][];
  const values = (place: 0 | 1) => [...new Set(pairs.map((pair) => pair[place]))];
  const [first, second] = [values(0), values(1)];
  if (first.length !== 2 || second.length !== 2 || pairs.length !== 4)
    throw new LazyscopeError(
      'bad_input',
      `The text has the classes ${first.join(', ')} with ${second.join(', ')} in the second field, in ${pairs.length} combinations with enough documents: removal of a spurious correlation takes two of each, in all four.`,
    );
  const [a, b] = [first as [string, string], second as [string, string]];
  return {
    first: a,
    second: b,
    classes: drawn.map((one, i) => ({ ...one, name: pairs[i].join(', ') })),
  };
}

async function* together(documents: AsyncIterable<LabelledDocument>): AsyncGenerator<LabelledDocument> {
  for await (const { text, label, second } of documents)
    if (second !== undefined) yield { text, label: JSON.stringify([label, second]) };
}
