/** As many documents of each class, drawn at random from a text of any length. */
import { LazyscopeError } from '../errors.ts';
import { Random } from '../numerics/random.ts';
import { pause } from '../pause.ts';
import type { LabelledDocument } from '../tokens/text/labelledDocuments.ts';

export interface ClassTexts {
  name: string;
  train: string[];
  test: string[];
}

/** Classes with fewer documents are left out, and those with less than this share of what the largest class gives: every class gives as many. */
const leastDocuments = 10;
const leastShare = 1 / 3;
const testShare = 0.2;

/** More are likely no classes but a field of something else. */
const mostClasses = 100;

/**
 * At most `most` documents of each class, of every class as many, the last fifth of them for tests. Classes are in the order of their
 * names; those with fewer than ten documents, or with less than a third of what the largest gives, are left out. Throws `bad_input` where fewer than two are left.
 */
export async function drawDocuments(
  documents: AsyncIterable<LabelledDocument>,
  most: number,
  signal: AbortSignal | undefined,
): Promise<ClassTexts[]> {
  const random = Random.fromSeed(0, 'documents of classes');
  const found = new Map<string, { seen: number; texts: string[] }>();
  let read = 0;
  for await (const { text, label } of documents) {
    let own = found.get(label);
    if (!own) found.set(label, (own = { seen: 0, texts: [] }));
    if (found.size > 100 * mostClasses)
      throw new LazyscopeError(
        'bad_input',
        `The text has more than ${100 * mostClasses} classes: choose the field of the class with --label-field.`,
      );
    // A reservoir: every document is as likely to be kept as any other.
    own.seen++;
    if (own.texts.length < most) own.texts.push(text);
    else {
      const place = random.below(own.seen);
      if (place < most) own.texts[place] = text;
    }
    if (++read % 1000 === 0) await pause(signal, 'reading documents');
  }
  const largest = Math.max(0, ...[...found.values()].map(({ texts }) => texts.length));
  const least = Math.max(leastDocuments, leastShare * largest);
  const classes = [...found].filter(([, { texts }]) => texts.length >= least);
  if (classes.length < 2 || classes.length > mostClasses)
    throw new LazyscopeError(
      'bad_input',
      `The text has ${classes.length} classes with ${Math.ceil(least)} documents or more, and probes need 2 to ${mostClasses}: choose the field of the class with --label-field.`,
    );
  const each = Math.min(...classes.map(([, { texts }]) => texts.length));
  const tests = Math.max(1, Math.round(testShare * each));
  return classes
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { texts }]) => {
      const drawn = Array.from(random.permutation(texts.length).subarray(0, each), (i) => texts[i]);
      return { name, train: drawn.slice(0, each - tests), test: drawn.slice(each - tests) };
    });
}
