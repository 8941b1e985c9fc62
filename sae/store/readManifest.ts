/** Reads a JSON document of the store and believes it only when its schema does. */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { LazyscopeError } from '../errors.ts';

export async function readManifest<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the name and the data folder.`, {
      cause: error,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not JSON: it is truncated or damaged; make it again.`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new LazyscopeError(
    'corrupt',
    `'${path}' is not what it should be at '${issue.path.join('.')}' (${issue.message}): make it again.`,
    { cause: parsed.error },
  );
}
