'use client';
import { useState, type FormEvent } from 'react';
import { useQuery } from '@tanstack/react-query';
import type { TextOnModel } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { fixed } from '../../format/number.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { ChangeList } from './ChangeList.tsx';
import {
  nameOf,
  printChanges,
  readChanges,
  readDictionary,
  sameDictionary,
  type DictionaryName,
  type PlaygroundState,
} from './playgroundState.ts';
import { SteeredTexts } from './SteeredTexts.tsx';
import styles from './SteeringPanel.module.css';
import { useSteering } from './useSteering.ts';

/** Subscriptions carry their input in the address. */
const longestPrompt = 4_000;

/** Turns features up, holds them or switches them off, and shows what the model says instead. */
export function SteeringPanel({
  state,
  change,
  found,
}: {
  state: PlaygroundState;
  change: (changes: Partial<PlaygroundState>) => void;
  found: TextOnModel | undefined;
}) {
  const trpc = useTRPC();
  const comparisons = useQuery(trpc.comparisons.list.queryOptions());
  const { steering, start, stop } = useSteering();
  const changes = readChanges(state.steer);
  const steered = groupByDictionary(changes);
  const one = steered.length === 1 ? steered[0] : undefined;
  const offered = one ? comparedWith(one, comparisons.data ?? []) : [];
  const wanted = state.beside === '' ? offered[0] : readDictionary(state.beside);
  const beside = wanted && offered.find((other) => sameDictionary(other, wanted));
  const prompt = state.text;
  const busy = steering.status === 'starting' || steering.status === 'writing';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start({
      prompt,
      dictionaries: steered,
      ...(beside && { counterpart: beside }),
      keepsError: state.base !== 'reconstruction',
      maxNewTokens: between(wholeNumber(state.length) ?? 40, 1, 512),
      samples: between(wholeNumber(state.samples) ?? 1, 0, 4),
      temperature: between(Number(state.temperature) || 1, 0.01, 10),
    });
  };
  return (
    <Panel
      id="steering"
      title="Steering"
      note="The activations of the latents below are changed on every token of the text and of what follows; the model goes on with and without."
    >
      {changes.length === 0 ? (
        <EmptyState title="Nothing is steered yet">
          Press <strong>Steer</strong> beside a feature of the text above, or add a latent by its number.
          <AddLatent
            dictionaries={found?.dictionaries ?? []}
            add={(added) => change({ steer: added })}
            steer=""
          />
        </EmptyState>
      ) : (
        <form className="stack" onSubmit={submit} aria-label="Steering">
          <ChangeList
            changes={changes}
            found={found}
            change={(list) => change({ steer: printChanges(list) })}
          />
          <AddLatent
            dictionaries={found?.dictionaries ?? []}
            steer={state.steer}
            add={(added) => change({ steer: added })}
          />
          <div className={styles.options}>
            <Segmented
              label="What takes the activation’s place"
              value={state.base === 'reconstruction' ? 'reconstruction' : 'error'}
              options={[
                { value: 'error', name: 'x + Δ (error kept)' },
                { value: 'reconstruction', name: 'x̂ + Δ' },
              ]}
              change={(base) => change({ base })}
            />
            <label className="cluster small">
              Beside
              <select
                className="field"
                value={beside ? nameOf(beside) : 'none'}
                onChange={(event) => change({ beside: event.target.value })}
              >
                <option value="none">no counterpart</option>
                {offered.map((other) => (
                  <option key={nameOf(other)} value={nameOf(other)}>
                    counterparts in {other.run}, seed {other.seed}
                  </option>
                ))}
              </select>
            </label>
            <NumberField label="Tokens" value={state.length} change={(length) => change({ length })} />
            <NumberField label="Draws" value={state.samples} change={(samples) => change({ samples })} />
            <NumberField
              label="Temperature"
              value={state.temperature}
              change={(temperature) => change({ temperature })}
            />
          </div>
          <div className="cluster">
            {/* Two elements: were one made of the other, the click that stops would send the form. */}
            {busy ? (
              <button key="stop" type="button" className="button" onClick={stop}>
                Stop
              </button>
            ) : (
              <button
                key="go"
                type="submit"
                className="button primary"
                disabled={prompt === '' || prompt.length > longestPrompt}
              >
                Go on with and without
              </button>
            )}
            <span className="small muted" role="status">
              {prompt === ''
                ? 'Type a text first.'
                : prompt.length > longestPrompt
                  ? `Steering takes texts of at most ${longestPrompt} characters.`
                  : statusText(steering)}
            </span>
          </div>
        </form>
      )}
      <SteeredTexts steering={steering} prompt={prompt} />
    </Panel>
  );
}

/** The dictionaries that have a stored comparison with this one. */
function comparedWith(
  own: DictionaryName,
  comparisons: readonly { a: DictionaryName; b: DictionaryName }[],
): DictionaryName[] {
  const others = comparisons.flatMap(({ a, b }) =>
    sameDictionary(a, own) ? [b] : sameDictionary(b, own) ? [a] : [],
  );
  return others.filter(
    (one, i) => !sameDictionary(one, own) && others.findIndex((other) => sameDictionary(one, other)) === i,
  );
}

function groupByDictionary(changes: ReturnType<typeof readChanges>) {
  const groups: (DictionaryName & { interventions: { latent: number; kind: 'add' | 'clamp' | 'ablate'; value: number }[] })[] = []; // prettier-ignore
  for (const { run, seed, latent, kind, value } of changes) {
    const group = groups.find((one) => sameDictionary(one, { run, seed }));
    const intervention = { latent, kind, value };
    if (group) group.interventions.push(intervention);
    else groups.push({ run, seed, interventions: [intervention] });
  }
  return groups;
}

function statusText({ status, end, message }: ReturnType<typeof useSteering>['steering']): string {
  switch (status) {
    case 'starting':
      return 'Waiting for the model…';
    case 'writing':
      return 'Writing…';
    case 'stopped':
      return 'Stopped.';
    case 'failed':
      return message ?? 'It failed.';
    case 'done':
      return end
        ? `${end.newTokens} tokens in ${fixed(end.seconds, 1)} s; the first after ${Math.round(end.firstTokenSeconds * 1000)} ms.`
        : '';
    default:
      return '';
  }
}

function NumberField({
  label,
  value,
  change,
}: {
  label: string;
  value: string;
  change: (value: string) => void;
}) {
  return (
    <label className="cluster small">
      {label}
      <input
        type="text"
        inputMode="decimal"
        className={`field num ${styles.number}`}
        autoComplete="off"
        value={value}
        onChange={(event) => change(event.target.value)}
      />
    </label>
  );
}

/** Adds a latent that doesn't fire in the text. */
function AddLatent({
  dictionaries,
  steer,
  add,
}: {
  dictionaries: readonly DictionaryName[];
  steer: string;
  add: (steer: string) => void;
}) {
  const [latent, setLatent] = useState('');
  const [chosen, setChosen] = useState('');
  const dictionary = dictionaries.find((one) => nameOf(one) === chosen) ?? dictionaries[0];
  if (!dictionary) return null;
  const number = wholeNumber(latent.trim().replace(/^#/, ''));
  const take = () => {
    if (number === undefined) return;
    const list = readChanges(steer).filter(
      (one) => !(sameDictionary(one, dictionary) && one.latent === number),
    );
    const { run, seed } = dictionary;
    add(printChanges([...list, { run, seed, latent: number, kind: 'clamp', value: 10 }]));
    setLatent('');
  };
  return (
    <span className={`cluster ${styles.adding}`}>
      {dictionaries.length > 1 && (
        <select
          className="field"
          aria-label="Dictionary of the latent"
          value={nameOf(dictionary)}
          onChange={(event) => setChosen(event.target.value)}
        >
          {dictionaries.map((one) => (
            <option key={nameOf(one)} value={nameOf(one)}>
              {one.run}, seed {one.seed}
            </option>
          ))}
        </select>
      )}
      <input
        type="text"
        inputMode="numeric"
        className={`field num ${styles.number}`}
        aria-label="Number of the latent to steer"
        placeholder="latent"
        autoComplete="off"
        value={latent}
        onChange={(event) => setLatent(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          take();
        }}
      />
      <button type="button" className="button" disabled={number === undefined} onClick={take}>
        Add latent
      </button>
    </span>
  );
}

const between = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value));
