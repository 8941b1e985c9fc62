'use client';
import { useEffect, useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { labelSourceKinds } from '../../../sae/spec/labelSources.ts';
import type { LabelPage } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { count } from '../../format/number.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { CarryLabels } from './CarryLabels.tsx';
import { ExportLabels } from './ExportLabels.tsx';
import { ImportLabels } from './ImportLabels.tsx';
import { labelDefaults, labelFilter, labelQuery } from './labelQuery.ts';
import { LabelsTable } from './LabelsTable.tsx';
import { ListsPanel } from './ListsPanel.tsx';
import { NoLabels } from './NoLabels.tsx';
import styles from './LabelsView.module.css';

/** All labels of all runs and seeds, or the features of a list. What is shown lives in the address. */
export function LabelsView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(labelDefaults);
  const input = labelQuery(state);
  const labels = useQuery(trpc.labels.page.queryOptions(input, { placeholderData: keepPreviousData }));
  const filter = (changes: Partial<typeof state>) => change({ ...changes, offset: '0' });
  const filtered = Object.keys(labelFilter({ ...state, list: '' })).length > 0;
  return (
    <>
      <PageHeader title={state.list ? `List ${state.list}` : 'Labels'}>
        {state.list
          ? 'The features of a list, labelled or not. The address of this page is the list’s.'
          : 'What features were called: by hand, by a rule found in the data, by a language model, carried over from another seed, or imported.'}
      </PageHeader>
      <Panel
        title={state.list ? 'Features' : 'All labels'}
        note={labels.data && <Explanation counts={state.list ? undefined : labels.data.counts} />}
        actions={
          <ExportLabels
            filter={labelFilter(state)}
            total={labels.data?.total ?? 0}
            noun={state.list ? 'features' : 'labels'}
          />
        }
        flush
      >
        <Filters state={state} filter={filter} />
        <Loaded
          query={labels}
          skeleton={
            <div className={styles.inside}>
              <Skeleton lines={12} />
            </div>
          }
        >
          {(page) => (
            <>
              {page.total === 0 ? (
                <div className={styles.inside}>
                  <Nothing
                    filtered={filtered}
                    list={state.list}
                    clear={() => change({ ...labelDefaults, list: state.list })}
                  />
                </div>
              ) : (
                <LabelsTable
                  rows={page.rows}
                  dim={labels.isPlaceholderData}
                  sorting={{
                    by: input.sort,
                    order: input.order,
                    change: (sort, order) => filter({ sort, order }),
                  }}
                />
              )}
              <Pager
                offset={input.offset}
                limit={input.limit}
                total={page.total}
                noun={state.list ? 'features' : 'labels'}
                change={(offset) => change({ offset: String(offset) })}
              />
            </>
          )}
        </Loaded>
      </Panel>
      <ListsPanel chosen={state.list} choose={(list) => change({ ...labelDefaults, list })} />
      {/* What these do concerns labels of the whole store, on lists or not. */}
      {state.list === '' && (
        <>
          <CarryLabels />
          <ImportLabels />
        </>
      )}
    </>
  );
}

function Nothing({ filtered, list, clear }: { filtered: boolean; list: string; clear: () => void }) {
  if (filtered)
    return (
      <EmptyState
        title="Nothing passes these filters"
        action={
          <button type="button" className="button" onClick={clear}>
            Clear the filters
          </button>
        }
      />
    );
  if (list !== '')
    return (
      <EmptyState title={`Nothing is on the list ${list}`}>
        A feature joins a list on its own page, and the list is there from the first one on.
      </EmptyState>
    );
  return (
    <EmptyState title="No labels yet" command="npx lazyscope label RUN">
      <NoLabels />
    </EmptyState>
  );
}

/** The counts are of the whole store, so a list goes without them. */
function Explanation({ counts }: { counts: LabelPage['counts'] | undefined }) {
  const given = counts ? labelSourceKinds.filter((kind) => counts[kind] > 0) : [];
  return (
    <>
      {counts &&
        given.length > 0 &&
        `${given.map((kind) => `${count(counts[kind])} ${kindNames[kind]}`).join(', ')}. `}
      Detection and fuzzing are balanced accuracies on contexts that the label was not made from: (TPR + TNR)
      / 2 with its 95 % interval; chance gives 0.50.
    </>
  );
}

const kindNames = {
  hand: 'by hand',
  data: 'from the data',
  endpoint: 'by a model',
  carried: 'carried',
  imported: 'imported',
} as const;

function Filters({
  state,
  filter,
}: {
  state: typeof labelDefaults;
  filter: (changes: Partial<typeof labelDefaults>) => void;
}) {
  const trpc = useTRPC();
  const runs = useQuery(trpc.runs.list.queryOptions());
  const names = [
    ...new Set([...(runs.data ?? []).map(({ name }) => name), ...(state.run ? [state.run] : [])]),
  ];
  const seeds = (runs.data ?? []).filter(({ name }) => name === state.run).map(({ seed }) => String(seed));
  const [typed, setTyped] = useState(state.find);
  const [seen, setSeen] = useState(state.find);
  if (seen !== state.find) {
    setSeen(state.find);
    setTyped(state.find);
  }
  useEffect(() => {
    if (typed === state.find) return;
    const timer = setTimeout(() => filter({ find: typed }), 250);
    return () => clearTimeout(timer);
  });
  return (
    <div className={styles.filters} role="search" aria-label="Filter labels">
      <input
        type="search"
        className={`field ${styles.find}`}
        aria-label="Find in labels and notes"
        placeholder="words of a label or a note"
        autoComplete="off"
        maxLength={200}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
      <Choice
        label="Run"
        value={state.run}
        all="All runs"
        options={names}
        change={(run) => filter({ run, seed: '' })}
      />
      {state.run !== '' && (
        <Choice
          label="Seed"
          value={state.seed}
          all="All seeds"
          options={seeds}
          change={(seed) => filter({ seed })}
        />
      )}
      <Choice
        label="Source"
        value={state.source}
        all="All sources"
        options={labelSourceKinds}
        change={(source) => filter({ source })}
      />
    </div>
  );
}

/** A select with an entry for all. */
export function Choice({
  label,
  value,
  all,
  options,
  change,
}: {
  label: string;
  value: string;
  all: string;
  options: readonly string[];
  change: (value: string) => void;
}) {
  return (
    <select
      className="field"
      aria-label={label}
      value={value}
      onChange={(event) => change(event.target.value)}
    >
      <option value="">{all}</option>
      {options.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}
