import styles from './Skeleton.module.css';

/** A placeholder for content that is loading. Screen readers read one word instead of the grey bars. */
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
