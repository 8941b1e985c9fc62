/** How fast work of a kind was done on this machine: by runs and comparisons of the store, and by the jobs of its log. */
import { cpus } from 'node:os';
import type { JobCost, JobFacts } from '../../sae/spec/jobs/cost.ts';
import { describedJob, type JobKind, type JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import type { ServerContext } from '../context.ts';
import type { Job } from '../contract/jobs.ts';
import { runManifests } from './dictionaries.ts';
import { jobFacts } from './jobFacts.ts';

/** Work that was done, and in how many seconds; of a training, by which architecture. */
export interface MeasuredWork {
  work: number;
  seconds: number;
  architecture?: string;
}

/** Seconds that a command takes to start. */
export const startUp = 2;
/** Jobs of a kind that are looked at, the newest first. */
const mostJobs = 20;

export async function measuredWork(server: ServerContext, kind: JobKind): Promise<MeasuredWork[]> {
  const { cost } = describedJob(kind);
  if (!cost) return [];
  if (kind === 'train') return trainings(server, cost);
  const done = server.jobs
    .list()
    .filter((job) => job.kind === kind && job.status === 'done')
    .slice(0, mostJobs);
  const found = await Promise.all(done.map((job) => workOfJob(server, job, cost)));
  return found.filter((one) => one !== null);
}

/** Runs say themselves how long they took, on which processor; imported ones took no time. */
async function trainings(server: ServerContext, cost: JobCost): Promise<MeasuredWork[]> {
  const { manifests } = await runManifests(server);
  const here = cpus()[0]?.model.trim();
  return manifests
    .filter(
      ({ status, seconds, environment }) => status === 'complete' && seconds > 0 && environment.cpu === here,
    )
    .map(({ config, d, seconds }) => ({
      work: workOf(cost, { tokens: config.tokens, d, latents: config.width, seeds: config.seeds.length }),
      seconds,
      architecture: config.architecture,
    }));
}

/** What it works on may be gone: then it says nothing. */
async function workOfJob(server: ServerContext, job: Job, cost: JobCost): Promise<MeasuredWork | null> {
  if (!job.startedAt || !job.finishedAt) return null;
  const { kind, options } = job;
  if ((kind === 'reproducibility' || kind === 'matchings') && (await comparedMeanwhile(server, job)))
    return null;
  const facts = await jobFacts(server, { kind, options } as JobStartInput).catch(() => ({}));
  const work = workOf(cost, facts);
  const lasted = (Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000;
  const seconds = Math.max(lasted - waitingOf(cost, facts), lasted / 10);
  return work > 0 ? { work, seconds: Math.max(seconds - startUp, seconds / 10) } : null;
}

/** Whether comparisons of the job's run were made while it ran, which are no work of its kind. */
async function comparedMeanwhile(server: ServerContext, job: Job): Promise<boolean> {
  const { manifests } = await server.seedStability.comparisons();
  return manifests.some(
    ({ a, createdAt }) =>
      a.run === job.subject?.name &&
      createdAt >= (job.startedAt ?? '') &&
      createdAt <= (job.finishedAt ?? ''),
  );
}

/** Seconds of waiting, NaN where a fact is missing. */
export function waitingOf(cost: JobCost, facts: JobFacts): number {
  return cost.waiting?.of(withNaN(facts)) ?? 0;
}

export function workOf(cost: JobCost, facts: JobFacts): number {
  return cost.work.of(withNaN(facts));
}

/** Facts that are missing make every figure that needs them NaN. */
export function withNaN(facts: JobFacts): Required<JobFacts> {
  return { ...unknown, ...facts };
}
const unknown: Required<JobFacts> = {
  tokens: NaN,
  d: NaN,
  latents: NaN,
  seeds: NaN,
  parameters: NaN,
  vocabulary: NaN,
  hookWidths: NaN,
  bytesPerValue: NaN,
  lossTokens: NaN,
  bytes: NaN,
  rows: NaN,
  labelled: NaN,
  requests: NaN,
  requestsPerMinute: NaN,
  points: NaN,
  modelRuns: NaN,
};

/** Those nearest in size tell most: small jobs are slower by the unit than large ones. */
const compared = 3;
/** Most of a job of fewer seconds is its start, which says nothing of work that is so many times larger. */
const short = { seconds: 10, times: 30 };

/** Work a second, the median of what was measured nearest in size; undefined where nothing was. */
export function rateFor(
  work: number,
  measured: readonly MeasuredWork[],
  architecture?: string,
): { rate: number; of: number } | undefined {
  const same = measured.filter((one) => one.architecture === architecture);
  const candidates = same.length > 0 ? same : measured;
  const rates = candidates
    .filter((one) => one.work > 0 && one.seconds > 0)
    .filter((one) => one.seconds >= short.seconds || work <= short.times * one.work)
    .toSorted((a, b) => Math.abs(Math.log(a.work / work)) - Math.abs(Math.log(b.work / work)))
    .slice(0, compared)
    .map((one) => one.work / one.seconds)
    .toSorted((a, b) => a - b);
  return rates.length === 0 ? undefined : { rate: rates[Math.floor(rates.length / 2)], of: rates.length };
}
