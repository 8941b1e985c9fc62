/** What a job will take: time, disk and memory, from the formulas of its description and the rates of this machine. */
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { isLazyscopeError } from '../../sae/errors.ts';
import type { Formula } from '../../sae/spec/jobs/cost.ts';
import { describedJob, type JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import type { ServerContext } from '../context.ts';
import type { EstimatedFigure, JobEstimate } from '../contract/estimates.ts';
import { configurationOf } from './jobFacts.ts';
import { jobParts, type JobPart } from './jobParts.ts';
import { measuredWork, rateFor, startUp, waitingOf, withNaN, workOf } from './measuredRates.ts';

export async function estimateJob(server: ServerContext, job: JobStartInput): Promise<JobEstimate> {
  const parts = await jobParts(server, job);
  const seconds = await Promise.all(parts.map((part) => secondsOf(server, part)));
  const disk = parts.map((part) => figureOf(part, 'disk'));
  const memory = parts.map((part) => figureOf(part, 'memory'));
  const { bavail, bsize } = await statfs(server.store.root);
  const times = allOf(seconds);
  return {
    seconds: times && {
      value: startUp + times.reduce((sum, { value }) => sum + value, 0),
      formula: joined(parts, times),
      measured: times.every(({ measured }) => measured),
      basis: joined(
        parts,
        times.map(({ basis }) => ({ formula: basis })),
      ),
    },
    disk: combined(parts, disk, (values) => values.reduce((sum, value) => sum + value, 0)),
    // They run one after another.
    memory: combined(parts, memory, (values) => Math.max(...values)),
    free: { disk: bavail * bsize, memory: totalmem() },
    usual: await usualOf(server, job),
  };
}

async function secondsOf(
  server: ServerContext,
  { kind, facts, architecture }: JobPart,
): Promise<{ value: number; formula: string; measured: boolean; basis: string } | null> {
  const { cost } = describedJob(kind);
  const work = cost ? workOf(cost, facts) : NaN;
  const waiting = cost ? waitingOf(cost, facts) : NaN;
  if (!cost || !Number.isFinite(work + waiting)) return null;
  const found = rateFor(work, await measuredWork(server, kind), architecture);
  const rate = found?.rate ?? cost.work.guess * availableParallelism();
  const speed = `${rate.toExponential(1)} ${cost.work.unit} a second`;
  return {
    value: work / rate + waiting,
    formula: `${cost.work.words} ÷ ${speed}${waiting > 0 && cost.waiting ? ` + ${cost.waiting.words}` : ''}`,
    measured: found !== undefined,
    basis: found
      ? `${speed}, as ${found.of === 1 ? 'one job' : `${found.of} jobs`} of the kind had on this machine`
      : `${speed} is a guess: nothing of the kind was run on this machine`,
  };
}

function figureOf({ kind, facts }: JobPart, name: 'disk' | 'memory'): EstimatedFigure | null {
  const formula: Formula | undefined = describedJob(kind).cost?.[name];
  const value = formula?.of(withNaN(facts)) ?? NaN;
  return formula && Number.isFinite(value) ? { value, formula: formula.words } : null;
}

function combined(
  parts: readonly JobPart[],
  figures: readonly (EstimatedFigure | null)[],
  combine: (values: number[]) => number,
): EstimatedFigure | null {
  const all = allOf(figures);
  return all && { value: combine(all.map(({ value }) => value)), formula: joined(parts, all) };
}

function allOf<Item>(items: readonly (Item | null)[]): Item[] | null {
  const known = items.filter((item) => item !== null);
  return known.length === items.length ? known : null;
}

/** Of one part its formula, of several each with its name. */
function joined(parts: readonly JobPart[], figures: readonly { formula: string }[]): string {
  if (parts.length === 1) return figures[0].formula;
  return parts.map(({ kind }, at) => `${kind}: ${figures[at].formula}`).join('; ');
}

/** The configuration that a training would have; of other kinds the descriptions say it all. */
async function usualOf(server: ServerContext, job: JobStartInput): Promise<Record<string, string>> {
  if (job.kind !== 'train') return {};
  try {
    const found = await configurationOf(server, job.options);
    if (!found) return {};
    const { width, tokens, batchSize, learningRate, hook } = found.config;
    return {
      width: width.toLocaleString('en-US'),
      tokens: tokens.toLocaleString('en-US'),
      batchSize: batchSize.toLocaleString('en-US'),
      learningRate: String(Number(learningRate.toPrecision(3))),
      hook,
    };
  } catch (error) {
    if (isLazyscopeError(error)) return {};
    throw error;
  }
}
