import type { JobDetail, JobStartInput } from '../contract/jobs.ts';
import { commandArguments, commandLine } from './commandArguments.ts';
import { jobSubject } from './jobSubject.ts';

/** A job that nobody has begun. */
export function waitingJob(id: string, input: JobStartInput, createdAt: string): JobDetail {
  const { kind, options } = input;
  return {
    id,
    kind,
    options,
    subject: jobSubject(input, null),
    command: commandLine(commandArguments(input)),
    status: 'queued',
    createdAt,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    progress: null,
    error: null,
    log: [],
    result: null,
  };
}
