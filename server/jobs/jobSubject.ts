import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import type { Job } from '../contract/jobs.ts';

/** What a job makes or looks at, by its options or, once it is done, by the document that its command printed. */
export function jobSubject(
  { kind, options }: Pick<Job, 'kind' | 'options'>,
  document: unknown,
): Job['subject'] {
  const { subject } = describedJob(kind);
  if (!subject) return null;
  const { what, option, inDocument, otherwise } = subject;
  const values = new Map<string, unknown>(Object.entries(options));
  const name = values.get(option) ?? inDocument?.reduce(within, document) ?? joined(otherwise, values);
  return typeof name === 'string' ? { what, name } : null;
}

function joined(names: readonly string[] | undefined, values: ReadonlyMap<string, unknown>): unknown {
  const parts = (names ?? []).map((name) => values.get(name));
  return parts.length > 0 && parts.every((part) => typeof part === 'string') ? parts.join('-') : undefined;
}

function within(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null
    ? new Map(Object.entries(value)).get(String(key))
    : undefined;
}
