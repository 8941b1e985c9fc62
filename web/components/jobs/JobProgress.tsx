import type { Progress } from '../../../sae/progress.ts';
import { compact, percent, significant } from '../../format/number.ts';
import styles from './JobProgress.module.css';

/** Where a job is: stage, bar, and the figures worth watching. */
export function JobProgress({ progress }: { progress: Progress }) {
  const share = progress.total > 0 ? Math.min(1, progress.done / progress.total) : 0;
  const values = Object.entries(progress.values ?? {});
  return (
    <div className={styles.progress}>
      <div className={styles.words}>
        <span>{progress.stage}</span>
        <span className="num">
          {compact(progress.done)} of {compact(progress.total)} {progress.unit} · {percent(share, 0)}
        </span>
      </div>
      <div
        className={styles.track}
        role="progressbar"
        aria-label={progress.stage}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
      >
        <span className={styles.bar} style={{ width: `${share * 100}%` }} />
      </div>
      {values.length > 0 && (
        <p className={`${styles.values} num`}>
          {values.map(([name, value]) => (
            <span key={name}>
              {name} <strong>{significant(value)}</strong>
            </span>
          ))}
        </p>
      )}
    </div>
  );
}
