/** Times the matching of two dictionaries whose answer is known, after checking it. */
import { LazyscopeError } from '../../sae/errors.ts';
import { matchDictionaries } from '../../sae/comparison/matchDictionaries.ts';
import { planMemory } from '../../sae/comparison/memoryPlan.ts';
import { relatedDictionaries, type Relation } from '../../sae/comparison/relatedDictionaries.ts';
import { meanCosine, sharedLatents } from '../../sae/comparison/sharedFraction.ts';
import type { Report } from '../../sae/progress.ts';

export interface CompareBenchmark {
  relation: Relation;
  latents: number;
  d: number;
  /** `dense` keeps whole matrices of cosines, whatever their size; `auto` decides by size as `lazyscope compare` does. */
  solver: 'auto' | 'dense';
  /** Bytes that the process may take. */
  memory?: number;
  gap?: number;
}

const threshold = 0.7;

/** Matches encoders and decoders. Throws 'unavailable' when the answer is wrong, because then its time means nothing. */
export function benchCompare(options: CompareBenchmark, report: Report) {
  const { relation, latents, d, solver, memory, gap } = options;
  report({ stage: 'make dictionaries', done: 0, total: latents, unit: 'latents' });
  const { a, b, planted } = relatedDictionaries(relation, { latents, d });
  const plan = planMemory(
    { a: latents, b: latents, d },
    { budget: memory, ...(solver === 'dense' && { denseLatents: Infinity }) },
  );
  const started = performance.now();
  const before = process.cpuUsage();
  const match = matchDictionaries(a, b, {
    memory: plan,
    ...(gap !== undefined && { targetGap: gap }),
    progress: (stage, done) => report({ stage, done, total: latents, unit: 'latents' }),
  });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const shared = sharedLatents(match, threshold).filter(Boolean).length / latents;
  const found = planted.filter((j, i) => j >= 0 && match.decoder.match[i] === j).length;
  const there = planted.filter((j) => j >= 0).length;
  const result = {
    shared,
    threshold,
    /** Share of the planted counterparts that the decoder matching found. */
    recovered: there === 0 ? null : found / there,
    mmcs: meanCosine(match.nearest),
    pwMcc: meanCosine(match.decoder),
    gap: match.gap,
    solver: match.solver,
    seconds,
    /** Processor time of all threads together, which other work on the machine distorts less than the wall clock. */
    cpuSeconds: (user + system) / 1e6,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    plannedMb: plan.bytes / 2 ** 20,
  };
  const wrong =
    (relation === 'copy' && (shared !== 1 || result.recovered !== 1)) ||
    (relation === 'independent' && shared !== 0) ||
    (relation === 'trained' && (result.recovered ?? 0) < 0.9);
  if (wrong)
    throw new LazyscopeError(
      'unavailable',
      `The comparison is wrong: ${JSON.stringify(result)} for two dictionaries related as '${relation}'.`,
    );
  return result;
}
