'use client';
import { useEffect, useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import type { SearchPage } from '../../../server/client.ts';
import { count } from '../../format/number.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { LeftOutLine } from '../ui/LeftOutLine.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { NotSearched } from './NotSearched.tsx';
import { SearchResult } from './SearchResult.tsx';
import styles from './SearchView.module.css';

const defaults = { text: '', run: '', offset: '0' };
const limit = 20;

/** Words and phrases over every run and seed. What is searched for lives in the address. */
export function SearchView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const [typed, setTyped] = useState(state.text);
  const [seen, setSeen] = useState(state.text);
  if (seen !== state.text) {
    setSeen(state.text);
    setTyped(state.text);
  }
  useEffect(() => {
    if (typed === state.text) return;
    const timer = setTimeout(() => change({ text: typed, offset: '0' }), 250);
    return () => clearTimeout(timer);
  });
  const text = state.text.trim();
  const offset = wholeNumber(state.offset) ?? 0;
  const runs = useQuery(trpc.runs.list.queryOptions());
  const names = [...new Set((runs.data ?? []).filter((run) => run.indexed).map((run) => run.name))];
  const results = useQuery(
    trpc.search.find.queryOptions(
      { text, offset, limit, ...(state.run ? { run: state.run } : {}) },
      { enabled: text !== '', placeholderData: keepPreviousData },
    ),
  );
  return (
    <>
      <PageHeader title="Search">
        Words and phrases in the examples, tokens and labels of every run and seed. Several words are a
        phrase; case and accents don’t matter.
      </PageHeader>
      <LeftOutLine of={['runs']} />
      <form
        role="search"
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          change({ text: typed, offset: '0' });
        }}
      >
        <input
          type="search"
          className={`field ${styles.text}`}
          aria-label="Words or a phrase"
          placeholder="a word, a phrase, a label…"
          autoComplete="off"
          spellCheck={false}
          maxLength={200}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <select
          className="field"
          aria-label="Run"
          value={state.run}
          onChange={(event) => change({ run: event.target.value, offset: '0' })}
        >
          <option value="">All runs</option>
          {[...new Set([...names, ...(state.run ? [state.run] : [])])].map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </form>
      {text !== '' && (
        <Panel title="Features" note={results.data && <Searched page={results.data} />} flush>
          <Loaded
            query={results}
            skeleton={
              <div className={styles.inside}>
                <Skeleton lines={12} />
              </div>
            }
          >
            {(page) => (
              <div className={results.isPlaceholderData ? styles.dim : undefined}>
                {page.rows.length > 0 ? (
                  <ul className={styles.results}>
                    {page.rows.map((row) => (
                      <SearchResult key={`${row.run} ${row.seed} ${row.latent}`} row={row} />
                    ))}
                  </ul>
                ) : (
                  <div className={styles.inside}>
                    <EmptyState title={`Nothing found for “${text}”`}>
                      Whole words are searched, one after the other. A part of a word is found in tokens and
                      at the beginning of a label’s words.
                    </EmptyState>
                  </div>
                )}
                <NotSearched missing={page.missing} />
                <Pager
                  offset={offset}
                  limit={limit}
                  total={page.total}
                  noun="features"
                  change={(next) => change({ offset: String(next) })}
                />
              </div>
            )}
          </Loaded>
        </Panel>
      )}
    </>
  );
}

function Searched({ page: { places, lookedAt, searched } }: { page: SearchPage }) {
  const dictionaries = `${count(searched)} ${searched === 1 ? 'dictionary' : 'dictionaries'}`;
  const where = `In the text ${places === 1 ? 'once' : `${count(places)} times`}; ${dictionaries} searched.`;
  const order = ' Features come first that are strongest on the words in the most examples.';
  return (
    <>
      {where}
      {lookedAt < places && ` Examples are counted at ${count(lookedAt)} of these places.`}
      {order}
    </>
  );
}
