import styles from './Skeleton.module.css';

/** The shape of what is coming. Screen readers hear one word, not a heap of grey bars. */
export function Skeleton({ height = 160, lines = 0 }: { height?: number; lines?: number }) {
  return (
    <div className={styles.skeleton} role="status">
      <span className="visually-hidden">Loading…</span>
      {lines > 0 ? (
        Array.from({ length: lines }, (_, line) => <span key={line} className={styles.line} />)
      ) : (
        <span className={styles.block} style={{ height }} />
      )}
    </div>
  );
}
