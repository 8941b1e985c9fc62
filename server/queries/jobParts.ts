/** The pieces of work that a job is made of, each of a kind of job, whose formulas and rates hold for it. */
import { existsSync } from 'node:fs';
import { isLazyscopeError } from '../../sae/errors.ts';
import type { JobFacts } from '../../sae/spec/jobs/cost.ts';
import type { JobKind, JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import type { ServerContext } from '../context.ts';
import { runManifest } from './dictionaries.ts';
import { configurationOf, jobFacts, runFacts, type InputOf } from './jobFacts.ts';

export interface JobPart {
  kind: JobKind;
  facts: JobFacts;
  /** Of a training. */
  architecture?: string;
}

const lossTokens = 8192;
const mostComparedTokens = 32_768;

/** What a job names may not be there yet, as while somebody types: then nothing is known of it. */
export async function jobParts(server: ServerContext, job: JobStartInput): Promise<JobPart[]> {
  try {
    return await partsOf(server, job);
  } catch (error) {
    if (isLazyscopeError(error)) return [{ kind: job.kind, facts: {} }];
    throw error;
  }
}

async function partsOf(server: ServerContext, job: JobStartInput): Promise<JobPart[]> {
  if (job.kind === 'consensus') return consensusParts(server, job.options);
  const own: JobPart = { kind: job.kind, facts: await jobFacts(server, job) };
  if (job.kind === 'train') {
    own.architecture = job.options.architecture;
    return job.options.analyse ? [own, ...(await analysisParts(server, job.options))] : [own];
  }
  if (job.kind === 'reproducibility') {
    const { name, config } = await runManifest(server, job.options.run);
    const missing = pairsNotCompared(server, name, config.seeds);
    return missing > 0 ? [compared(own.facts, missing), own] : [own];
  }
  if (job.kind === 'matchings') {
    const { name, config } = await runManifest(server, job.options.run);
    const { against } = job.options;
    const missing =
      pairsNotCompared(server, name, config.seeds) +
      (against === undefined
        ? 0
        : acrossNotCompared(server, { run: name, seeds: config.seeds }, await otherRun(against)));
    return missing > 0 ? [compared(own.facts, missing), own] : [own];
  }
  return [own];

  async function otherRun(run: string) {
    return { run, seeds: (await runManifest(server, run)).config.seeds };
  }
}

/** What comes after a training. */
async function analysisParts(server: ServerContext, options: InputOf<'train'>): Promise<JobPart[]> {
  const found = await configurationOf(server, options);
  if (!found) return [];
  const facts = await runFacts(server, found, undefined);
  const pairs = pairsOf(found.config.seeds.length);
  return [
    { kind: 'evaluate', facts: { ...facts, lossTokens } },
    { kind: 'index', facts },
    ...(pairs > 0 ? [compared(facts, pairs)] : []),
  ];
}

/** The parents are compared and evaluated where they aren't yet, and so is what is trained. */
async function consensusParts(server: ServerContext, options: InputOf<'consensus'>): Promise<JobPart[]> {
  const { store } = server;
  const { groups = 1, control = false, tokens } = options;
  const parent = await runManifest(server, options.run);
  const { config, d } = parent;
  const seeds = options.seeds ?? config.seeds;
  const trained = control ? 2 : 1;
  const facts = await runFacts(server, parent, seeds);
  const pairs = pairsNotCompared(server, parent.name, seeds) + trained * pairsOf(groups);
  const evaluated =
    seeds.filter((seed) => !existsSync(store.evaluation(parent.name, seed))).length + trained * groups;
  const training: JobPart = {
    kind: 'train',
    facts: { tokens: tokens ?? Math.ceil(config.tokens / 4), d, latents: config.width, seeds: groups },
    architecture: config.architecture,
  };
  return [
    ...(pairs > 0 ? [compared(facts, pairs)] : []),
    ...Array.from({ length: trained }, () => training),
    { kind: 'evaluate', facts: { ...facts, seeds: evaluated, lossTokens } },
  ];
}

/** The facts of dictionaries, for comparisons of so many pairs of them. */
function compared(facts: JobFacts, pairs: number): JobPart {
  return {
    kind: 'compare',
    facts: { ...facts, seeds: pairs, tokens: Math.min(facts.tokens ?? Infinity, mostComparedTokens) },
  };
}

const pairsOf = (seeds: number) => (seeds * (seeds - 1)) / 2;

/** Pairs of a run's seeds without a comparison under the name that commands give it. */
function pairsNotCompared({ store }: ServerContext, run: string, seeds: readonly number[]): number {
  return seeds
    .flatMap((a, at) => seeds.slice(at + 1).map((b) => `${run}-${a}-${b}`))
    .filter((name) => !existsSync(store.comparisonManifest(name))).length;
}

/** The same of every seed of one run with every seed of another. */
function acrossNotCompared(
  { store }: ServerContext,
  a: { run: string; seeds: readonly number[] },
  b: { run: string; seeds: readonly number[] },
): number {
  return a.seeds
    .flatMap((own) => b.seeds.map((other) => `${a.run}-${own}-${b.run}-${other}`))
    .filter((name) => !existsSync(store.comparisonManifest(name))).length;
}
