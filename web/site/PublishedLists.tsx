/** The study's lists of features, each a link. Stands for web/components/labels/ListsPanel.tsx. */
import { useQuery } from '@tanstack/react-query';
import { paths } from '../client/paths.ts';
import { useTRPC } from '../client/trpc.ts';
import { ListLinks } from '../components/labels/ListLinks.tsx';
import { Panel } from '../components/ui/Panel.tsx';
import Link from './Link.tsx';

export function ListsPanel({ chosen }: { chosen: string }) {
  const trpc = useTRPC();
  const lists = useQuery(trpc.lists.list.queryOptions());
  if (lists.data === undefined || lists.data.length === 0) return null;
  return (
    <Panel title="Lists" note="Features that whoever published this study put together, under a name.">
      <div className="stack">
        <ListLinks lists={lists.data} chosen={chosen} />
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
