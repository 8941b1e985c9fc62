import styles from './Meter.module.css';

/** A share as a short bar beside its number; within a column, bars and numbers are aligned. */
export function Meter({
  share,
  text,
  colour = 'var(--chart-fill)',
  width = 36,
}: {
  share: number | null;
  text: string;
  colour?: string;
  width?: number;
}) {
  return (
    <span className={styles.meter}>
      <span className={styles.track} style={{ width }} aria-hidden="true">
        <span
          className={styles.bar}
          style={{ width: `${Math.max(0, Math.min(1, share ?? 0)) * 100}%`, background: colour }}
        />
      </span>
      <span className={styles.text}>{text}</span>
    </span>
  );
}
