'use client';
import Link from 'next/link';
import { useState } from 'react';
import { keepPreviousData, skipToken, useQuery } from '@tanstack/react-query';
import type { TextOnModel } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { figures } from '../../format/number.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { latentNameOf, nameOf } from './playgroundState.ts';
import { SideBySide } from './SideBySide.tsx';
import { TokenPanel } from './TokenPanel.tsx';
import { activationsOf, glanceOf, largestOf } from './traces.ts';
import { TraceStrip } from './TraceStrip.tsx';
import styles from './TryText.module.css';

/** The text that was tried and the token that is looked at; both are in the address. */
const defaults = { try: '', at: '' };

/** A box for a text of one's own: which features of this dictionary fire on it, or whether this latent does, and where. */
export function TryText({ run, seed, latent }: { run: string; seed: number; latent?: number }) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const [typed, setTyped] = useState(state.try);
  // The address may change without typing, by the browser's back button.
  const [seen, setSeen] = useState(state.try);
  if (seen !== state.try) {
    setSeen(state.try);
    setTyped(state.try);
  }
  const text = state.try;
  const found = useQuery(
    trpc.playground.features.queryOptions(
      text === ''
        ? skipToken
        : { text, dictionaries: [{ run, seed, latents: latent === undefined ? [] : [latent] }] },
      { placeholderData: keepPreviousData, staleTime: Infinity },
    ),
  );
  const what = latent === undefined ? 'this dictionary' : `latent ${latent}`;
  const elsewhere = paths.playground({
    on: nameOf({ run, seed }),
    text,
    ...(latent !== undefined && { latent: latentNameOf({ run, seed, latent }) }),
  });
  return (
    <div className="stack">
      <form
        className={styles.form}
        aria-label={`Try a text on ${what}`}
        onSubmit={(event) => {
          event.preventDefault();
          change({ try: typed, at: '' });
        }}
      >
        <input
          type="text"
          className={`field ${styles.text}`}
          aria-label={`A text to try on ${what}`}
          placeholder={latent === undefined ? 'Which features fire on …' : 'Does it fire on …'}
          maxLength={2_000}
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" className="button" disabled={found.isFetching || typed === ''}>
          {found.isFetching ? 'Reading…' : 'Try it'}
        </button>
        <Link href={elsewhere} className="button quiet">
          Open in the playground
        </Link>
      </form>
      {text === '' ? null : found.isError ? (
        <ErrorNotice error={found.error} retry={() => void found.refetch()} />
      ) : found.data === undefined ? (
        <Skeleton height={120} />
      ) : (
        <Answer
          found={found.data}
          latent={latent}
          at={wholeNumber(state.at)}
          choose={(at) => change({ at: String(at) })}
        />
      )}
    </div>
  );
}

function Answer({
  found,
  latent,
  at,
  choose,
}: {
  found: TextOnModel;
  latent: number | undefined;
  at: number | undefined;
  choose: (at: number) => void;
}) {
  const [dictionary] = found.dictionaries;
  if (!dictionary) return null;
  const shown = latent ?? dictionary.traces[0]?.latent;
  const trace = dictionary.traces.find((one) => one.latent === shown);
  const activations = activationsOf(trace, found.tokens.length);
  const largest = trace ? largestOf(trace) : 0;
  // Where nothing was chosen yet, what is asked about fires most there.
  const peak = Math.max(0, activations.indexOf(Math.max(...activations)));
  const position = Math.min(at ?? peak, found.tokens.length - 1);
  const chosen =
    shown === undefined ? undefined : { run: dictionary.run, seed: dictionary.seed, latent: shown };
  const firing = activations.filter((value) => value > 0).length;
  return (
    <>
      <Panel
        title={latent === undefined ? 'Which features fire' : 'Where it fires'}
        note={
          latent === undefined
            ? `${dictionary.firing} features fire on the text; it is shaded by the strongest. Choose a token to see what fires on it.`
            : firing === 0
              ? `Silent on all ${found.tokens.length} tokens.`
              : `On ${firing} of ${found.tokens.length} tokens, up to ${figures(largest)}.`
        }
      >
        <div className="stack">
          {latent !== undefined && (
            <TraceStrip
              activations={activations}
              tokens={found.tokens}
              scale={glanceOf(dictionary, latent)?.maxActivation ?? largest}
              position={position}
            />
          )}
          <SideBySide found={found} chosen={chosen} position={position} choose={choose} />
          {latent !== undefined && (
            <p className="small num" role="status">
              {figures(activations[position] ?? 0)} on token {position + 1}.
            </p>
          )}
        </div>
      </Panel>
      {latent === undefined && <TokenPanel found={found} position={position} />}
    </>
  );
}
