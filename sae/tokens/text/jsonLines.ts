/** JSON lines: one object a line, one of whose fields is a document. */
import { LazyscopeError } from '../../errors.ts';

/** Characters of the longest line that is read. */
const longestLine = 1 << 27;
export const usualField = 'text';

/** The object that a line holds; undefined for anything else. */
export function jsonObject(line: string): Record<string, unknown> | undefined {
  if (!line.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/**
 * The documents in order, from `field`, or from `text` where none is named. Empty lines are left out. Throws `bad_input` naming
 * the first line that is not an object with a text in that field.
 */
export async function* jsonLineDocuments(
  strings: AsyncIterable<string>,
  path: string,
  field = usualField,
): AsyncGenerator<string, void, void> {
  let number = 0;
  for await (const line of linesOf(strings, path)) {
    number++;
    if (line.trim() === '') continue;
    yield documentOf(line, { path, field, number });
  }
}

function documentOf(line: string, at: { path: string; field: string; number: number }): string {
  const refuse = (why: string, remedy: string, cause?: unknown) =>
    new LazyscopeError('bad_input', `Line ${at.number} of '${at.path}' ${why}: ${remedy}.`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw refuse(
      'is not JSON',
      /\.(jsonl|ndjson)\b/i.test(at.path)
        ? `give one object a line with its document in "${at.field}"`
        : 'the file begins with an object and is therefore read as JSON lines, so mend the line, or put a line <|endoftext|> first if it is plain text',
      error,
    );
  }
  const fields = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  const text = fields.get(at.field);
  if (typeof text === 'string') return text;
  const others = [...fields].filter(([, other]) => typeof other === 'string').map(([name]) => name);
  throw refuse(
    `has no "${at.field}"`,
    others.length > 0
      ? `choose the field of the documents with --text-field (${others.join(', ')})`
      : `give one object a line with its document in "${at.field}"`,
  );
}

/** The lines of a text that comes in pieces. */
export async function* linesOf(strings: AsyncIterable<string>, path: string): AsyncGenerator<string> {
  let kept: string[] = [];
  let length = 0;
  for await (const text of strings) {
    const lines = text.split('\n');
    kept.push(lines[0]);
    length += lines[0].length;
    if (length > longestLine)
      throw new LazyscopeError(
        'bad_input',
        `'${path}' has a line of more than ${longestLine} characters: give one object a line.`,
      );
    if (lines.length === 1) continue;
    yield kept.join('');
    for (let i = 1; i + 1 < lines.length; i++) yield lines[i];
    kept = [lines[lines.length - 1]];
    length = kept[0].length;
  }
  yield kept.join('');
}
