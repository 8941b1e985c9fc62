import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput } from '../contract/jobs.ts';
export declare class JobQueue {
  list(): Promise<Job[]>;
  get(id: string): Promise<JobDetail>;
  start(input: JobStartInput): Promise<Job>;
  cancel(id: string): Promise<Job>;
  watch(input: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]>;
}
