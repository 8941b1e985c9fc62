'use client';
import Link from 'next/link';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { featureQuery, featureTableDefaults } from './featureQuery.ts';
import { count } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DictionaryFigures } from '../runs/DictionaryFigures.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { FeatureFilters } from './FeatureFilters.tsx';
import { FeatureTable } from './FeatureTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { TryText } from '../playground/TryText.tsx';
import { SeedSwitch } from '../runs/SeedSwitch.tsx';
import { NotSearched } from '../search/NotSearched.tsx';
import { StoredTableLinks } from '../ui/StoredTableLinks.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';

/** All latents of one dictionary. Order, filters and page live in the address. */
export function FeaturesView({ run, seed }: { run: string; seed: number }) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(featureTableDefaults);
  const input = featureQuery(run, seed, state);
  const features = useQuery(trpc.features.list.queryOptions(input, { placeholderData: keepPreviousData }));
  const runs = useQuery(trpc.runs.list.queryOptions());
  const row = runs.data?.find((one) => one.name === run && one.seed === seed);
  const notIndexed = row !== undefined && !row.indexed;
  return (
    <>
      <PageHeader
        title={`Features of seed ${seed}`}
        crumbs={[
          { name: 'Runs', href: paths.runs() },
          { name: run, href: paths.run(run) },
        ]}
        actions={<SeedSwitch run={run} seed={seed} />}
      >
        {row && <DictionaryFigures row={row} />}
      </PageHeader>
      <TryText run={run} seed={seed} />
      {notIndexed ? (
        <EmptyState
          title="This dictionary has no feature index yet"
          command={`npx lazyscope index ${run}`}
          action={
            <Link href={paths.startJob('index', { run })} className="button">
              Index it from here
            </Link>
          }
        >
          Indexing reads the held-out tokens once and keeps each latent’s density, histogram, examples and
          tokens.
        </EmptyState>
      ) : (
        <Panel
          title="Latents"
          note={<span className="with-keyboard">↑ ↓ or j k move between rows, Enter opens one.</span>}
          flush
        >
          {input.filter.latents && (
            <p className="small" style={{ padding: '0.5rem 1rem 0' }}>
              Only {count(input.filter.latents.length)} latents that were encircled on a map.{' '}
              <button type="button" className="button" onClick={() => change({ latents: '', offset: '0' })}>
                Show all
              </button>
            </p>
          )}
          <FeatureFilters state={state} change={(changes) => change({ ...changes, offset: '0' })} />
          <Loaded
            query={features}
            skeleton={
              <div style={{ padding: '1rem' }}>
                <Skeleton lines={14} />
              </div>
            }
          >
            {(page) => (
              <>
                {page.searched === 'tokens and labels' && <NotSearched missing={[{ run, seed }]} />}
                {page.total === 0 ? (
                  <div style={{ padding: '1rem' }}>
                    <EmptyState
                      title="No latent passes these filters"
                      action={
                        <button type="button" className="button" onClick={() => change(featureTableDefaults)}>
                          Clear the filters
                        </button>
                      }
                    />
                  </div>
                ) : (
                  <FeatureTable
                    run={run}
                    seed={seed}
                    rows={page.rows}
                    dim={features.isPlaceholderData}
                    sorting={{
                      by: input.sort,
                      order: input.order,
                      change: (sort, order) => change({ sort, order, offset: '0' }),
                    }}
                  />
                )}
                <Pager
                  offset={input.offset}
                  limit={input.limit}
                  total={page.total}
                  noun="latents"
                  change={(offset) => change({ offset: String(offset) })}
                />
                <StoredTableLinks tables={['features', 'examples', 'loadings']} of={{ run, seed }} />
              </>
            )}
          </Loaded>
        </Panel>
      )}
    </>
  );
}
