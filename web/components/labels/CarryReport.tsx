import Link from 'next/link';
import type { LabelCarry } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { count, fixed } from '../../format/number.ts';
import styles from './LabelsView.module.css';

const mostNamed = 5;

/** What was copied to which latents, and why the rest was not. */
export function CarryReport({ result: { carried, reasons } }: { result: LabelCarry }) {
  return (
    <div className={styles.report}>
      <p>
        {carried.length === 0
          ? 'Nothing was copied.'
          : `Copied ${count(carried.length)} ${carried.length === 1 ? 'label' : 'labels'}.`}
      </p>
      <ul>
        {carried.slice(0, mostNamed).map(({ run, seed, latent, cosine }) => (
          <li key={`${run} ${seed} ${latent}`}>
            to{' '}
            <Link href={paths.feature(run, seed, latent)}>
              {run} seed {seed}, latent {latent}
            </Link>{' '}
            (cosine {fixed(cosine, 2)})
          </li>
        ))}
        {carried.length > mostNamed && <li>and {count(carried.length - mostNamed)} more</li>}
        {Object.entries(reasons).map(([why, times]) => (
          <li key={why}>
            not {count(times)} ×: {why}
          </li>
        ))}
      </ul>
    </div>
  );
}
