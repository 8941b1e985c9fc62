import type { RunDetail } from '../../../server/client.ts';
import { count, fixed } from '../../format/number.ts';

/** Which tokens the figures of a run's seeds are about, in a sentence. */
export function evaluatedOn({ manifest, seeds }: Pick<RunDetail, 'manifest' | 'seeds'>): string {
  const evaluations = seeds.flatMap(({ evaluation }) => evaluation ?? []);
  const [first] = evaluations;
  if (!first) {
    const faults = seeds.flatMap(({ evaluationFault }) => evaluationFault ?? []);
    if (faults.includes('damaged')) return `The evaluation is damaged: evaluate again.`;
    if (faults.length > 0) return 'The evaluation is of a newer Lazyscope.';
    const { exclusion } = manifest;
    return exclusion && exclusion.rows > 0
      ? `Not evaluated yet. Training left out ${count(exclusion.rows)} rows (${exclusion.rule}).`
      : 'Not evaluated yet.';
  }
  const tokens = `On ${count(first.tokens)} held-out tokens`;
  const { exclusion } = first;
  if (!exclusion || exclusion.rows === 0) return `${tokens}.`;
  const withThem = evaluations.map((one) => fixed(one.exclusion?.fvuWithThem)).join(', ');
  return `${tokens}, without ${count(exclusion.rows)} rows (${exclusion.rule}); FVU with them: ${withThem}. Losses are of all tokens.`;
}
