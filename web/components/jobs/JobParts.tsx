import type { JobPart } from '../../../server/client.ts';
import { percent } from '../../format/number.ts';
import { Meter } from '../ui/Meter.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import styles from './JobParts.module.css';

/** How far each part of a job is, and who makes it; the last one puts them together. */
export function JobParts({ parts }: { parts: readonly JobPart[] }) {
  return (
    <details className="xs">
      <summary>Parts</summary>
      <ul className={styles.parts}>
        {parts.map((part, at) => (
          <li key={at} className={styles.part}>
            <span className="num">
              {at < parts.length - 1 ? `${at + 1}/${parts.length - 1}` : 'together'}
            </span>
            <StatusTag status={part.status} />
            <Meter share={part.done} text={percent(part.done, 0)} />
            {part.worker !== null && (
              <span className={`${styles.worker} muted`}>
                {part.worker}
                {(part.attempt ?? 1) > 1 ? `, attempt ${part.attempt}` : ''}
              </span>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}
