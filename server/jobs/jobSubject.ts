import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import type { Job } from '../contract/jobs.ts';

/** What a job makes or looks at, by its options or, once it is done, by the document that its command printed. */
export function jobSubject(
  { kind, options }: Pick<Job, 'kind' | 'options'>,
  document: unknown,
): Job['subject'] {
  const { subject } = describedJob(kind);
  if (!subject) return null;
  const { what, option, inDocument } = subject;
  const given: unknown = new Map<string, unknown>(Object.entries(options)).get(option);
  const name = given ?? inDocument?.reduce(within, document);
  return typeof name === 'string' ? { what, name } : null;
}

function within(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null
    ? new Map(Object.entries(value)).get(String(key))
    : undefined;
}
