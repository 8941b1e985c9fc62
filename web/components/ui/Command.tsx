'use client';
import { useState } from 'react';
import styles from './Command.module.css';
import { Icon } from './Icon.tsx';

/** A command line with a button to copy it. */
export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div className={styles.command}>
      <code className={styles.text}>{text}</code>
      <button
        type="button"
        className={styles.copy}
        aria-label={copied ? 'Copied' : 'Copy the command'}
        onClick={async () => {
          await navigator.clipboard.writeText(text);
          setCopied(true);
          setTimeout(() => setCopied(false), 1_500);
        }}
      >
        <Icon name={copied ? 'check' : 'copy'} />
      </button>
    </div>
  );
}
