/** A JSON file of another tool. */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { LazyscopeError } from '../errors.ts';

/** Throws `not_found`, `corrupt` for what is not JSON, and `bad_input` naming the first thing the schema does not accept. */
export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the path.`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not JSON: fetch it again.`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new LazyscopeError(
    'bad_input',
    `'${path}' can't be used: ${issue.path.join('.')}: ${issue.message}.`,
    {
      cause: parsed.error,
    },
  );
}
