/** A job as text on a command line: its kind and options as JSON. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';

/** Throws 'bad_input' for text that is no job. */
export async function parseJob(json: string): Promise<JobStartInput> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new LazyscopeError(
      'bad_input',
      `The job is not JSON: give for example '{"kind":"evaluate","options":{"run":"demo-topk"}}'.`,
      { cause },
    );
  }
  return checkedJob(value);
}

/** Throws 'bad_input' for what is no job. */
export async function checkedJob(value: unknown): Promise<JobStartInput> {
  const { jobStartInput } = await import('../../server/contract/jobs.ts');
  const parsed = jobStartInput.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new LazyscopeError(
    'bad_input',
    `The job is not one${path.length > 0 ? `, at '${path.join('.')}'` : ''}: ${message}.`,
  );
}
