import type { Progress } from '../../../sae/progress.ts';
import { compact, count, percent, significant } from '../../format/number.ts';
import { duration } from '../../format/time.ts';
import styles from './JobProgress.module.css';

/** Where a job is: stage, bar, time left, and the figures worth watching. */
export function JobProgress({ progress }: { progress: Progress }) {
  const { stage, done, total, unit, secondsLeft } = progress;
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const values = Object.entries(progress.values ?? {});
  const amount = total < 100_000 ? count : compact;
  return (
    <div className={styles.progress}>
      <div className={styles.words}>
        <span>{stage}</span>
        <span className="num">
          {amount(done)} of {amount(total)} {unit} · {percent(share, 0)}
          {secondsLeft !== undefined && secondsLeft > 0 ? ` · ${duration(Math.ceil(secondsLeft))} left` : ''}
        </span>
      </div>
      <div
        className={styles.track}
        role="progressbar"
        aria-label={stage}
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
              {names[name] ?? name} <strong>{(printed[name] ?? significant)(value)}</strong>
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

const names: Record<string, string> = { l0: 'L0', fvu: 'FVU', tokensPerSecond: 'tokens/s' };
const printed: Record<string, (value: number) => string> = { dead: percent, tokensPerSecond: compact };
