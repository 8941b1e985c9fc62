/** The study's lists of features, each a link. Stands for web/components/labels/ListsPanel.tsx. */
import { useQuery } from '@tanstack/react-query';
import { paths } from '../client/paths.ts';
import { useTRPC } from '../client/trpc.ts';
import styles from '../components/labels/LabelsView.module.css';
import { Panel } from '../components/ui/Panel.tsx';
import { count } from '../format/number.ts';
import Link from './Link.tsx';

export function ListsPanel({ chosen }: { chosen: string }) {
  const trpc = useTRPC();
  const lists = useQuery(trpc.lists.list.queryOptions());
  if (lists.data === undefined || lists.data.length === 0) return null;
  return (
    <Panel title="Lists" note="Features that whoever published this study put together, under a name.">
      <div className="stack">
        <ul className={styles.lists}>
          {lists.data.map(({ name, features, note }) => (
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
        {chosen !== '' && (
          <div className="cluster">
            <Link href={paths.labels()} className="button">
              All labels
            </Link>
          </div>
        )}
      </div>
    </Panel>
  );
}
