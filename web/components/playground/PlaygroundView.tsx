'use client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { RunRow } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { ErrorNotice } from '../ui/ErrorNotice.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { FeatureTraces, type TraceActions } from './FeatureTraces.tsx';
import { ModelLine } from './ModelLine.tsx';
import {
  latentNameOf,
  nameOf,
  playgroundDefaults,
  printChanges,
  printDictionaries,
  readChanges,
  readDictionaries,
  readLatent,
  sameDictionary,
  type DictionaryName,
  type PlaygroundState,
} from './playgroundState.ts';
import { SideBySide } from './SideBySide.tsx';
import { SteeringPanel } from './SteeringPanel.tsx';
import { TextForm } from './TextForm.tsx';
import { TokenPanel } from './TokenPanel.tsx';

const examples = [
  'The whale swam away from the ship, said the captain.',
  'In the beginning God created the heaven and the earth.',
];

/** Type a text, see which features fire, and steer them. Everything chosen is in the address. */
export function PlaygroundView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(playgroundDefaults);
  const runs = useQuery(trpc.runs.list.queryOptions());
  return (
    <>
      <PageHeader title="Playground">
        <ModelLine />
      </PageHeader>
      <Loaded query={runs} skeleton={<Skeleton height={320} />}>
        {(rows) =>
          rows.some(({ status }) => status === 'complete') ? (
            <Playground runs={rows} state={state} change={change} />
          ) : (
            <EmptyState
              title="No dictionary trained yet"
              command="npx lazyscope train --architecture topk --capture CAPTURE --seeds 0,1,2"
            >
              The playground shows what dictionaries make of a text; <code>npm run demo</code> trains some on
              a small model.
            </EmptyState>
          )
        }
      </Loaded>
    </>
  );
}

function Playground({
  runs,
  state,
  change,
}: {
  runs: readonly RunRow[];
  state: PlaygroundState;
  change: (changes: Partial<PlaygroundState>) => void;
}) {
  const trpc = useTRPC();
  const named = readDictionaries(state.on);
  const dictionaries = named.length > 0 ? named : newestPair(runs);
  const asked = readLatent(state.latent);
  const steered = readChanges(state.steer);
  const features = useQuery(
    trpc.playground.features.queryOptions(
      {
        text: state.text,
        dictionaries: dictionaries.map((one) => ({
          ...one,
          // Latents that the page is about are traced even where others are stronger.
          latents: [
            ...new Set(
              [...(asked ? [asked] : []), ...steered]
                .filter((latent) => sameDictionary(latent, one))
                .map(({ latent }) => latent),
            ),
          ],
        })),
      },
      {
        enabled: state.text !== '' && dictionaries.length > 0,
        placeholderData: keepPreviousData,
        staleTime: Infinity,
      },
    ),
  );
  const found = state.text === '' ? undefined : features.data;
  const last = (found?.tokens.length ?? 1) - 1;
  const position = Math.min(wholeNumber(state.token) ?? last, last);
  const actions: TraceActions = {
    chosen: asked ?? strongestOf(found),
    choose: (latent) => change({ latent: latentNameOf(latent) }),
    steered,
    steer: (latent, largest) =>
      change({
        steer: printChanges([
          ...steered,
          { ...latent, kind: 'clamp', value: Number(largest.toPrecision(3)) },
        ]),
      }),
  };
  return (
    <>
      <Panel title="Text" note="Each dictionary reads the model at its own hook point. All are of one model.">
        <TextForm
          text={state.text}
          dictionaries={dictionaries}
          runs={runs}
          busy={features.isFetching}
          read={(text) => change({ text, token: '' })}
          choose={(list) => change({ on: printDictionaries(list) })}
        />
      </Panel>
      {state.text === '' ? (
        <EmptyState title="No text yet">
          <span className="cluster">
            Try one:
            {examples.map((text) => (
              <button key={text} type="button" className="button" onClick={() => change({ text })}>
                {text.length > 34 ? `${text.slice(0, 32)}…` : text}
              </button>
            ))}
          </span>
        </EmptyState>
      ) : features.isError ? (
        <ErrorNotice error={features.error} retry={() => void features.refetch()} />
      ) : found === undefined ? (
        <Skeleton height={320} />
      ) : (
        <div className="stack" data-stale={features.isPlaceholderData || undefined}>
          <Panel
            title="Where it fires"
            note="Shaded by one feature and its counterparts. Choose a token to see what fires on it; the arrow keys move on."
          >
            <SideBySide
              found={found}
              chosen={asked}
              position={position}
              choose={(token) => change({ token: String(token) })}
            />
          </Panel>
          <TokenPanel found={found} position={position} />
          {found.dictionaries.map((dictionary, at) =>
            at > 0 && dictionary.counterparts ? null : (
              <Panel
                key={nameOf(dictionary)}
                title={`Features of ${dictionary.run}, seed ${dictionary.seed}`}
                note={
                  at === 0 && found.dictionaries.some(({ counterparts }) => counterparts)
                    ? `${dictionary.firing} fire on the text; below each, what its counterpart does on the same tokens.`
                    : `${dictionary.firing} fire on the text.`
                }
                flush
                actions={
                  at === 0 ? (
                    <Segmented
                      label="Order of features"
                      value={state.by === 'relative' ? 'relative' : 'strongest'}
                      options={[
                        { value: 'strongest', name: 'Strongest' },
                        { value: 'relative', name: 'Nearest to their maximum' },
                      ]}
                      change={(by) => change({ by })}
                    />
                  ) : undefined
                }
              >
                <FeatureTraces
                  found={found}
                  dictionary={dictionary}
                  beside={
                    at === 0 ? found.dictionaries.slice(1).filter(({ counterparts }) => counterparts) : []
                  }
                  by={state.by}
                  position={position}
                  actions={actions}
                />
              </Panel>
            ),
          )}
        </div>
      )}
      <SteeringPanel state={state} change={change} found={found} />
    </>
  );
}

function strongestOf(found: { dictionaries: { run: string; seed: number; traces: { latent: number }[] }[] } | undefined) {
  const [first] = found?.dictionaries ?? [];
  const latent = first?.traces[0]?.latent;
  return first && latent !== undefined ? { run: first.run, seed: first.seed, latent } : undefined;
} // prettier-ignore

/** The first two seeds of the newest trained run, so that they stand side by side; of an indexed one, whose latents have tokens to go by, if there is any. */
function newestPair(runs: readonly RunRow[]): DictionaryName[] {
  const complete = runs.filter(({ status, model }) => status === 'complete' && model !== null);
  const indexed = complete.filter((row) => row.indexed);
  const trained = indexed.length > 0 ? indexed : complete;
  const newest = trained.reduce<RunRow | undefined>(
    (best, row) => (best && best.createdAt >= row.createdAt ? best : row),
    undefined,
  );
  return trained
    .filter(({ name }) => name === newest?.name)
    .toSorted((a, b) => a.seed - b.seed)
    .slice(0, 2)
    .map(({ name, seed }) => ({ run: name, seed }));
}
