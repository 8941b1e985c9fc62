'use client';
import { count } from '../../format/number.ts';
import { Icon } from './Icon.tsx';
import styles from './Pager.module.css';

export function Pager({
  offset,
  limit,
  total,
  noun,
  change,
}: {
  offset: number;
  limit: number;
  total: number;
  /** What the rows are, in the plural, for example `latents`. */
  noun: string;
  change: (offset: number) => void;
}) {
  const last = Math.min(offset + limit, total);
  return (
    <nav className={styles.pager} aria-label={`Pages of ${noun}`}>
      <span className="num" aria-live="polite">
        {total === 0 ? `No ${noun}` : `${count(offset + 1)}–${count(last)} of ${count(total)} ${noun}`}
      </span>
      <span className={styles.steps}>
        <button
          type="button"
          className="button"
          disabled={offset === 0}
          onClick={() => change(Math.max(0, offset - limit))}
          aria-label={`Previous ${noun}`}
        >
          <Icon name="left" />
        </button>
        <button
          type="button"
          className="button"
          disabled={last >= total}
          onClick={() => change(offset + limit)}
          aria-label={`Next ${noun}`}
        >
          <Icon name="right" />
        </button>
      </span>
    </nav>
  );
}
