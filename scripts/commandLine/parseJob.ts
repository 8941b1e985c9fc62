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
  const { z } = await import('zod');
  const { jobStartInput } = await import('../../server/contract/jobs.ts');
  const parsed = jobStartInput.safeParse(value);
  if (!parsed.success)
    throw new LazyscopeError('bad_input', `The job is not one: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
