import { percent } from '../../format/number.ts';
import { Token } from '../ui/Token.tsx';
import styles from './ProbabilityBars.module.css';

/** Tokens with their probability, one bar for each of `names`. */
export function ProbabilityBars({
  rows,
  names,
}: {
  rows: readonly { id: number; text: string; probabilities: readonly number[] }[];
  names: readonly string[];
}) {
  const largest = Math.max(...rows.flatMap(({ probabilities }) => probabilities), 0);
  return (
    <ol className={styles.bars}>
      {rows.map((row) => (
        <li key={row.id} className={styles.item}>
          <span className={styles.token}>
            <Token text={row.text} />
          </span>
          <span className={styles.lines}>
            {row.probabilities.map((probability, at) => (
              <span key={names[at]} className={styles.line}>
                <span className={styles.track} aria-hidden="true">
                  <span
                    className={styles.bar}
                    data-name={names[at]}
                    style={{ width: `${largest > 0 ? (probability / largest) * 100 : 0}%` }}
                  />
                </span>
                <span className={`${styles.value} num`}>
                  <span className="visually-hidden">{names[at]} </span>
                  {percent(probability)}
                </span>
              </span>
            ))}
          </span>
        </li>
      ))}
    </ol>
  );
}
