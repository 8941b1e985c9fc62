'use client';
import { useState } from 'react';
import type { DictionaryOnText, TextOnModel } from '../../../server/client.ts';
import { figures, fixed } from '../../format/number.ts';
import { StatusTag } from '../ui/Tag.tsx';
import styles from './FeatureTraces.module.css';
import { LatentLabel } from './LatentLabel.tsx';
import { nameOf, sameDictionary, type LatentName } from './playgroundState.ts';
import {
  activationsOf,
  glanceOf,
  largestOf,
  sortedTraces,
  type CounterpartRow,
  type Trace,
} from './traces.ts';
import { TraceStrip } from './TraceStrip.tsx';

export interface TraceActions {
  chosen: LatentName | undefined;
  choose: (latent: LatentName) => void;
  steered: readonly LatentName[];
  steer: (latent: LatentName, largest: number) => void;
}

/** The features of one dictionary in the text, each with its trace and, beside it, what its counterparts do. */
export function FeatureTraces({
  found,
  dictionary,
  beside,
  by,
  position,
  actions,
}: {
  found: TextOnModel;
  dictionary: DictionaryOnText;
  /** Dictionaries with counterparts of this one's latents. */
  beside: readonly DictionaryOnText[];
  by: string;
  position: number;
  actions: TraceActions;
}) {
  const [all, setAll] = useState(false);
  const sorted = sortedTraces(dictionary, by);
  // The chosen one is in sight wherever it stands.
  const traces = sorted.filter(
    (trace, at) => all || at < shownAtFirst || isChosen(actions.chosen, dictionary, trace.latent),
  );
  return (
    <>
      <ol className={styles.rows} aria-label={`Features of ${nameOf(dictionary)} in the text`}>
        {traces.map((trace) => (
          <li
            key={trace.latent}
            className={styles.row}
            data-chosen={isChosen(actions.chosen, dictionary, trace.latent) || undefined}
          >
            <TraceLine
              found={found}
              dictionary={dictionary}
              trace={trace}
              position={position}
              actions={actions}
            />
            {beside.map((other) => (
              <CounterpartLine
                key={nameOf(other)}
                found={found}
                other={other}
                row={other.counterparts?.rows.find((row) => row.latent === trace.latent)}
                position={position}
              />
            ))}
          </li>
        ))}
      </ol>
      {traces.length < sorted.length && (
        <div className={styles.more}>
          <button type="button" className="button" onClick={() => setAll(true)}>
            Show all {sorted.length}
          </button>
        </div>
      )}
    </>
  );
}

const shownAtFirst = 10;

const isChosen = (chosen: LatentName | undefined, dictionary: DictionaryOnText, latent: number) =>
  chosen !== undefined && sameDictionary(chosen, dictionary) && chosen.latent === latent;

function TraceLine({
  found,
  dictionary,
  trace,
  position,
  actions,
}: {
  found: TextOnModel;
  dictionary: DictionaryOnText;
  trace: Trace;
  position: number;
  actions: TraceActions;
}) {
  const { run, seed } = dictionary;
  const name = { run, seed, latent: trace.latent };
  const glance = glanceOf(dictionary, trace.latent);
  const largest = largestOf(trace);
  const chosen = isChosen(actions.chosen, dictionary, trace.latent);
  const steered = actions.steered.some(
    (one) => sameDictionary(one, dictionary) && one.latent === trace.latent,
  );
  return (
    <div className={styles.line}>
      <span className={styles.name}>
        <LatentLabel run={run} seed={seed} latent={trace.latent} glance={glance} />
      </span>
      <TraceStrip
        activations={activationsOf(trace, found.tokens.length)}
        tokens={found.tokens}
        scale={glance?.maxActivation ?? largest}
        position={position}
      />
      <span className={`${styles.value} num`} title="largest activation in the text">
        {figures(largest)}
      </span>
      <span className={styles.buttons}>
        <button
          type="button"
          className="button quiet"
          aria-pressed={chosen}
          aria-label={`Shade the text by latent ${trace.latent} of ${nameOf(dictionary)}`}
          onClick={() => actions.choose(name)}
        >
          Shade
        </button>
        <button
          type="button"
          className="button quiet"
          disabled={steered}
          aria-label={`Steer latent ${trace.latent} of ${nameOf(dictionary)}`}
          onClick={() => actions.steer(name, glance?.maxActivation ?? largest)}
        >
          Steer
        </button>
      </span>
    </div>
  );
}

/** Does the counterpart fire here too? */
function CounterpartLine({
  found,
  other,
  row,
  position,
}: {
  found: TextOnModel;
  other: DictionaryOnText;
  row: CounterpartRow | undefined;
  position: number;
}) {
  if (!row) return null;
  const { counterpart, both, onlyFirst, onlySecond } = row;
  const where = `seed ${other.seed}${other.run === found.dictionaries[0]?.run ? '' : ` of ${other.run}`}`;
  if (!counterpart)
    return <div className={`${styles.line} ${styles.other} small muted`}>No counterpart in {where}.</div>;
  const glance = glanceOf(other, counterpart.latent);
  const either = both + onlyFirst + onlySecond;
  return (
    <div className={`${styles.line} ${styles.other}`}>
      <span className={styles.name}>
        <span className="xs muted">{where}</span>
        <LatentLabel run={other.run} seed={other.seed} latent={counterpart.latent} glance={glance} />
      </span>
      <TraceStrip
        activations={activationsOf(counterpart, found.tokens.length)}
        tokens={found.tokens}
        scale={glance?.maxActivation ?? largestOf(counterpart)}
        position={position}
      />
      <span className={`${styles.value} num`}>{figures(largestOf(counterpart))}</span>
      <span className={`${styles.agreement} xs`}>
        <StatusTag status={counterpart.shared ? 'shared' : 'not shared'} />
        <span className="muted num">
          cos {fixed(counterpart.decoderCosine, 2)} ·{' '}
          {either === 0 ? 'both silent' : both === 0 ? 'never together' : `together on ${both} of ${either}`}
        </span>
      </span>
    </div>
  );
}
