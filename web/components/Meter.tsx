import styles from './Meter.module.css';

/** A share as a short bar beside its figure. */
export function Meter({
  share,
  colour = 'var(--chart-fill)',
  width = 44,
}: {
  share: number | null;
  colour?: string;
  width?: number;
}) {
  return (
    <span className={styles.track} style={{ width }} aria-hidden="true">
      <span
        className={styles.bar}
        style={{ width: `${Math.max(0, Math.min(1, share ?? 0)) * 100}%`, background: colour }}
      />
    </span>
  );
}
