import { Token } from './Token.tsx';
import styles from './TokenRow.module.css';

/** Tokens in one line, for tables; those that do not fit are cut off. */
export function TokenRow({
  tokens,
  most = 6,
}: {
  tokens: readonly { id: number; text: string }[];
  most?: number;
}) {
  if (tokens.length === 0) return <span className="faint">–</span>;
  return (
    <span className={styles.row}>
      {tokens.slice(0, most).map((token, index) => (
        <span key={`${token.id} ${index}`} className={styles.chip}>
          <Token text={token.text} />
        </span>
      ))}
    </span>
  );
}
