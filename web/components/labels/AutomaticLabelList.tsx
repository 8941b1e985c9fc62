import type { Label } from '../../../server/client.ts';
import { LabelScoreText, scoreFormula } from './LabelScoreText.tsx';
import styles from './AutomaticLabelList.module.css';
import { SourceText } from './SourceText.tsx';

/** The automatic labels of a feature with their scores: the number, then the sum that makes it. */
export function AutomaticLabelList({
  labels,
  use,
}: {
  labels: readonly Label[];
  /** Makes one the person's own label; absent where nothing can be changed. */
  use?: (label: string) => void;
}) {
  if (labels.length === 0) return null;
  return (
    <ul className={styles.list} aria-label="Automatic labels">
      {labels.map(({ label, source, detection, fuzzing }) => (
        <li key={source.kind} className={styles.item}>
          <div className="cluster">
            <strong className="small">{label}</strong>
            <span className="xs muted">
              <SourceText source={source} />
            </span>
            {use && (
              <button type="button" className="button quiet" onClick={() => use(label)}>
                Use it
              </button>
            )}
          </div>
          {[['Detection', detection] as const, ['Fuzzing', fuzzing] as const].map(
            ([name, score]) =>
              score && (
                <p key={name} className="xs muted">
                  {name} <LabelScoreText score={score} />
                  <span className={styles.formula}> {scoreFormula(score)}</span>
                </p>
              ),
          )}
        </li>
      ))}
    </ul>
  );
}
