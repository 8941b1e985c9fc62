import { useId, type ReactNode } from 'react';
import styles from './Panel.module.css';

/** A titled part of a page. `flush` lets a table reach the edges. */
export function Panel({
  title,
  note,
  actions,
  flush = false,
  children,
  id,
}: {
  title: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  flush?: boolean;
  children: ReactNode;
  id?: string;
}) {
  const heading = useId();
  return (
    <section className={styles.panel} aria-labelledby={heading} id={id}>
      <div className={styles.head}>
        <div className={styles.words}>
          <h2 id={heading}>{title}</h2>
          {note && <p className={styles.note}>{note}</p>}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
      <div className={flush ? styles.flush : styles.body}>{children}</div>
    </section>
  );
}
