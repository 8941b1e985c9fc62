/** JSON lines: one object a line, whose `text` is a document. */
import { LazyscopeError } from '../errors.ts';

/** Whether a file's name says that it holds JSON lines. */
export function isJsonLines(path: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(path);
}

/** The documents in order. Throws `bad_input` naming the first line that is not an object with a text. */
export function jsonLineDocuments(content: string, path: string): string[] {
  return content.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const refuse = (why: string, cause?: unknown) =>
      new LazyscopeError(
        'bad_input',
        `Line ${i + 1} of '${path}' ${why}: give one object a line with its document in "text".`,
        {
          cause,
        },
      );
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw refuse('is not JSON', error);
    }
    if (typeof value !== 'object' || value === null || !('text' in value) || typeof value.text !== 'string')
      throw refuse('has no "text"');
    return [value.text];
  });
}
