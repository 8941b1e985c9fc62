'use client';
import Link from 'next/link';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import { ListLinks } from './ListLinks.tsx';

/** The store's lists of features, each a link. */
export function ListsPanel({ chosen, choose }: { chosen: string; choose: (list: string) => void }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const lists = useQuery(trpc.lists.list.queryOptions());
  const own = lists.data?.find(({ name }) => name === chosen);
  const remove = useMutation(
    trpc.lists.remove.mutationOptions({
      onSuccess: async () => {
        choose('');
        await queries.invalidateQueries(trpc.lists.pathFilter());
      },
    }),
  );
  return (
    <Panel
      title="Lists"
      note="Features that belong together, under a name. A feature joins one on its page; a star puts it on the list ‘starred’."
    >
      <div className="stack">
        {(lists.data ?? []).length === 0 && <p className="small muted">No list yet.</p>}
        <ListLinks lists={lists.data ?? []} chosen={chosen} />
        {own !== undefined && own.note !== '' && <p className="small">{own.note}</p>}
        {chosen !== '' && (
          <div className="cluster">
            <Link href={paths.labels()} className="button">
              All labels
            </Link>
            {own && (
              <>
                <button
                  type="button"
                  className="button"
                  disabled={remove.isPending}
                  onClick={() => remove.mutate({ name: chosen })}
                >
                  Remove the list {chosen}
                </button>
                <span className="small muted">Its features and their labels stay.</span>
              </>
            )}
          </div>
        )}
        {remove.isError && <ErrorNotice error={remove.error} />}
      </div>
    </Panel>
  );
}
