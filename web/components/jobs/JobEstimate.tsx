import type { JobEstimate as Estimate } from '../../../server/client.ts';
import { bytes } from '../../format/number.ts';
import { duration } from '../../format/time.ts';
import styles from './JobEstimate.module.css';

/** What the job will take, with the formulas on request; it says where a figure is a guess, and what won't fit. */
export function JobEstimate({ estimate }: { estimate: Estimate }) {
  const { seconds, disk, memory, free } = estimate;
  const tooMuch = [
    ...(disk && disk.value > free.disk ? [`The disk has ${bytes(free.disk)} left.`] : []),
    ...(memory && memory.value > free.memory ? [`The machine has ${bytes(free.memory)} of memory.`] : []),
  ];
  return (
    <div className={styles.estimate} role="group" aria-label="Estimate">
      <dl className={styles.figures}>
        <div>
          <dt>Time</dt>
          <dd className="num">
            {seconds ? `about ${duration(Math.ceil(seconds.value))}` : 'not known'}
            {seconds && !seconds.measured && <span className="muted"> (a guess)</span>}
          </dd>
        </div>
        <div>
          <dt>Disk</dt>
          <dd className="num">{disk ? bytes(disk.value) : 'not known'}</dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd className="num">{memory ? `about ${bytes(memory.value)}` : 'not known'}</dd>
        </div>
      </dl>
      {tooMuch.length > 0 && (
        <p className={styles.warning} role="alert">
          {tooMuch.join(' ')}
        </p>
      )}
      {(seconds ?? disk ?? memory) && (
        <details className="xs muted">
          <summary>How this is estimated</summary>
          <ul className={styles.formulas}>
            {seconds && (
              <li>
                Time: {seconds.formula}, and 2 s to start. {capitalised(seconds.basis)}.
              </li>
            )}
            {disk && <li>Disk: {disk.formula}.</li>}
            {memory && <li>Memory: {memory.formula}.</li>}
          </ul>
        </details>
      )}
    </div>
  );
}

const capitalised = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);
