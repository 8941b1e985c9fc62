'use client';
import { describeError } from '../../client/describeError.ts';
import { Command } from './Command.tsx';
import styles from './Notice.module.css';

export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => void }) {
  const { title, message, remedy, command, kind } = describeError(error);
  return (
    <div className={`${styles.notice} ${styles.error}`} role="alert">
      <p className={styles.title}>{title}</p>
      <p className={styles.message}>
        {message}
        {remedy ? ` ${remedy}` : ''}
      </p>
      {command && <Command text={command} />}
      {retry && kind !== 'missing' && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
