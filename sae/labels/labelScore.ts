import { balancedAccuracyInterval } from '../numerics/balancedAccuracyInterval.ts';
import type { LabelCounts, LabelScore } from '../spec/labelSources.ts';

/**
 * The score of a label: how often a judge who is given the label alone tells contexts (detection) or marked tokens (fuzzing) of the latent from
 * others. Balanced accuracy, (TPR + TNR) / 2, as delphi reports it (Paulo, Mallen, Juang & Belrose, 2024), whose chance level is 0.5 whatever
 * the share of positives. Null where one of the two kinds has no context.
 */
export function labelScore(counts: LabelCounts): LabelScore | null {
  const { positives, truePositives, negatives, trueNegatives } = counts;
  if (positives === 0 || negatives === 0) return null;
  return {
    ...counts,
    balancedAccuracy: (truePositives / positives + trueNegatives / negatives) / 2,
    interval: balancedAccuracyInterval([truePositives, positives], [trueNegatives, negatives]),
  };
}
