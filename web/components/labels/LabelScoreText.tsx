import type { LabelScore } from '../../../sae/spec/labelSources.ts';
import { count, fixed } from '../../format/number.ts';

/** A score with its interval; the sum behind it when pointed at. */
export function LabelScoreText({ score }: { score: LabelScore | null }) {
  if (!score) return <span className="faint">–</span>;
  const [low, high] = score.interval;
  return (
    <span className="num" title={scoreFormula(score)}>
      {fixed(score.balancedAccuracy, 2)}{' '}
      <span className="xs muted">
        {fixed(low, 2)}–{fixed(high, 2)}
      </span>
    </span>
  );
}

/** The formula with its numbers: what is right among contexts with the feature and among those without, and chance. */
export function scoreFormula(score: LabelScore): string {
  const { truePositives, positives, trueNegatives, negatives, unanswered } = score;
  const contexts = `${count(positives + negatives)} contexts that the label was not made from`;
  const open = unanswered > 0 ? `; ${count(unanswered)} without an answer` : '';
  return `(TPR + TNR) / 2 = (${truePositives}/${positives} + ${trueNegatives}/${negatives}) / 2 = ${fixed(score.balancedAccuracy, 2)}, on ${contexts}${open}; 95 % interval ${fixed(score.interval[0], 2)} to ${fixed(score.interval[1], 2)}; chance gives 0.50`;
}
