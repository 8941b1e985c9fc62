import { signed } from '../../format/number.ts';
import { Token } from './Token.tsx';
import styles from './TokenBars.module.css';

/** Tokens with the change of their logits as bars. Promoted and suppressed tokens share one scale, so that they can be compared. */
export function TokenBars({
  tokens,
  direction,
  scale,
}: {
  tokens: readonly { id: number; text: string; logit: number }[];
  direction: 'up' | 'down';
  /** The largest |logit| of both lists, which scales the bars. */
  scale: number;
}) {
  if (tokens.length === 0) return <p className="faint small">None recorded.</p>;
  return (
    <ol className={styles.bars} data-direction={direction}>
      {tokens.map((token, index) => (
        <li key={`${token.id} ${index}`} className={styles.item}>
          <span className={styles.token}>
            <Token text={token.text} />
          </span>
          <span className={styles.track} aria-hidden="true">
            <span
              className={styles.bar}
              style={{ width: `${scale > 0 ? (Math.abs(token.logit) / scale) * 100 : 0}%` }}
            />
          </span>
          <span className={`${styles.value} num`}>{signed(token.logit)}</span>
        </li>
      ))}
    </ol>
  );
}
