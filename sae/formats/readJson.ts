/** A JSON file of another tool. */
import type { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readJsonFile } from './parseJson.ts';

/** Throws `not_found`, `corrupt` for what is not JSON, and `bad_input` naming the first thing the schema does not accept. */
export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const parsed = schema.safeParse(readJsonFile(path));
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
