'use client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { orphanSorts } from '../../../sae/spec/tables/features.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { FeatureTable } from '../features/FeatureTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';

const limit = 10;
const defaults = { orphanSort: 'density', orphanOffset: '0', orphanSeed: '' };
type OrphanSort = (typeof orphanSorts)[number];
const sortNames: Record<OrphanSort, string> = { density: 'Most frequent', maxActivation: 'Strongest' };

/** Table of orphans, sorted by density or by largest activation. */
export function OrphansPanel({
  run,
  seeds,
  threshold,
}: {
  run: string;
  seeds: readonly number[];
  /** By default each comparison's own. */
  threshold?: number | undefined;
}) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const seed = seeds.find((one) => String(one) === state.orphanSeed) ?? seeds[0] ?? 0;
  const sort = orphanSorts.find((one) => one === state.orphanSort) ?? 'density';
  const offset = wholeNumber(state.orphanOffset) ?? 0;
  const runs = useQuery(trpc.runs.list.queryOptions());
  const unindexed = runs.data?.some((one) => one.name === run && one.seed === seed && !one.indexed);
  const orphans = useQuery(
    trpc.comparisons.orphans.queryOptions(
      { run, seed, sort, offset, limit, ...(threshold === undefined ? {} : { threshold }) },
      { placeholderData: keepPreviousData, enabled: !unindexed },
    ),
  );
  return (
    <Panel
      title="Orphans"
      note={`Live latents shared with no other seed${threshold === undefined ? '' : ` at a cosine of ${threshold}`}. Frequent, strong orphans are the ones to worry about.`}
      flush
      actions={
        <>
          {seeds.length > 1 && (
            <Segmented
              label="Seed"
              value={String(seed)}
              options={seeds.map((one) => ({ value: String(one), name: `seed ${one}` }))}
              change={(orphanSeed) => change({ orphanSeed, orphanOffset: '0' })}
            />
          )}
          <Segmented
            label="Order"
            value={sort}
            options={orphanSorts.map((value) => ({ value, name: sortNames[value] }))}
            change={(orphanSort) => change({ orphanSort, orphanOffset: '0' })}
          />
        </>
      }
    >
      {unindexed ? (
        <EmptyState title="These features are not indexed yet" command={`npx lazyscope index ${run}`} />
      ) : (
        <Loaded
          query={orphans}
          skeleton={
            <div style={{ padding: '0 1rem 1rem' }}>
              <Skeleton lines={6} />
            </div>
          }
        >
          {(page) =>
            page.total === 0 ? (
              <p className="small muted" style={{ padding: '0 1rem 1rem' }}>
                None: every live latent of this seed is shared with another.
              </p>
            ) : (
              <>
                <FeatureTable
                  run={run}
                  seed={seed}
                  rows={page.rows}
                  dim={orphans.isPlaceholderData}
                  caption="Orphans"
                />
                <Pager
                  offset={offset}
                  limit={limit}
                  total={page.total}
                  noun="orphans"
                  change={(to) => change({ orphanOffset: String(to) })}
                />
              </>
            )
          }
        </Loaded>
      )}
    </Panel>
  );
}
