import type { ReactNode } from 'react';
import { Command } from './Command.tsx';
import styles from './Notice.module.css';

/** Shown where there is no data yet, with the command that makes some. */
export function EmptyState({
  title,
  children,
  command,
  action,
}: {
  title: string;
  children?: ReactNode;
  command?: string;
  action?: ReactNode;
}) {
  return (
    <div className={styles.notice}>
      <p className={styles.title}>{title}</p>
      {children && <div className={styles.message}>{children}</div>}
      {command && <Command text={command} />}
      {action}
    </div>
  );
}
