/** The table of jobs in the database: their commands, status and output. */
import { z } from 'zod';
import { jobStartInput, jobStatuses } from '../contract/jobs.ts';
import type { Job, JobDetail } from '../contract/jobs.ts';
import { jobSubject } from './jobSubject.ts';
import type { Database } from '../database.ts';

const rowSchema = z.object({
  id: z.string(),
  kind: z.string(),
  options: z.string(),
  command: z.string(),
  status: z.enum(jobStatuses),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  exitCode: z.number().nullable(),
  error: z.string().nullable(),
  log: z.string(),
  result: z.string().nullable(),
});

const processSchema = z.object({ job: z.string(), pid: z.number() });

/** Number of jobs kept; older ones are deleted. */
const kept = 500;

export class JobLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async write(job: JobDetail): Promise<void> {
    const { id, kind, command, status, createdAt, startedAt, finishedAt, exitCode, error } = job;
    await this.#database.query(
      `INSERT OR REPLACE INTO jobs VALUES ($id, $kind, $options, $command, $status, $createdAt, $startedAt,
         $finishedAt, $exitCode, $error, $log, $result)`,
      {
        id,
        kind,
        command,
        status,
        createdAt,
        startedAt,
        finishedAt,
        exitCode,
        error,
        options: JSON.stringify(job.options),
        log: job.log.join('\n'),
        result: job.result === null ? null : JSON.stringify(job.result),
      },
    );
  }

  /** Written as soon as a job has a process, so that a later server can find it. */
  async writeProcess(job: string, pid: number): Promise<void> {
    await this.#database.query('INSERT OR REPLACE INTO job_processes VALUES ($job, $pid)', { job, pid });
  }

  async forgetProcess(job: string): Promise<void> {
    await this.#database.query('DELETE FROM job_processes WHERE job = $job', { job });
  }

  /** Processes that are not known to have ended, by job. */
  async processes(): Promise<Map<string, number>> {
    const rows = await this.#database.query('SELECT job, pid FROM job_processes');
    return new Map(rows.map((row) => processSchema.parse(row)).map(({ job, pid }) => [job, pid]));
  }

  /** Newest first. A job of a kind this version doesn't know is left out. */
  async read(): Promise<JobDetail[]> {
    await this.#database.query(
      `DELETE FROM jobs WHERE id NOT IN (SELECT id FROM jobs ORDER BY "createdAt" DESC, id DESC LIMIT ${kept})`,
    );
    const rows = await this.#database.query('SELECT * FROM jobs ORDER BY "createdAt" DESC, id DESC');
    return rows.flatMap((cells) => {
      const row = rowSchema.parse(cells);
      const input = jobStartInput.safeParse({ kind: row.kind, options: JSON.parse(row.options) });
      if (!input.success) return [];
      const result: unknown = row.result === null ? null : JSON.parse(row.result);
      const subject = jobSubject(input.data, result);
      const { kind, options } = input.data;
      const job: Job = { ...row, kind, options, subject, progress: null };
      return [{ ...job, log: row.log === '' ? [] : row.log.split('\n'), result }];
    });
  }
}
