import Link from 'next/link';
import { paths } from '../../client/paths.ts';
import { count } from '../../format/number.ts';
import styles from './LabelsView.module.css';

/** A link to the labels on each list of features. */
export function ListLinks({
  lists,
  chosen,
}: {
  lists: readonly { name: string; features: number; note: string }[];
  chosen: string;
}) {
  return (
    <ul className={styles.lists}>
      {lists.map(({ name, features, note }) => (
        <li key={name}>
          <Link
            href={paths.labels({ list: name })}
            className="button"
            aria-current={name === chosen ? 'page' : undefined}
            title={note || undefined}
          >
            {name} <span className="xs muted num">{count(features)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
