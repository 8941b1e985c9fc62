import type { ReactNode } from 'react';
import styles from './Stat.module.css';

export interface StatItem {
  label: ReactNode;
  value: ReactNode;
  note?: ReactNode;
}

/** A row of figures, each with its name below. */
export function Stats({ items }: { items: readonly StatItem[] }) {
  return (
    <dl className={styles.stats}>
      {items.map((item, index) => (
        <div key={index} className={styles.stat}>
          <dt className={styles.label}>{item.label}</dt>
          <dd className={`${styles.value} num`}>{item.value}</dd>
          {item.note && <dd className={styles.note}>{item.note}</dd>}
        </div>
      ))}
    </dl>
  );
}
