'use client';
import { useId, useState } from 'react';
import type { TextOnModel } from '../../../server/client.ts';
import { significant } from '../../format/number.ts';
import { Icon } from '../ui/Icon.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import styles from './ChangeList.module.css';
import { LatentLabel } from './LatentLabel.tsx';
import { latentNameOf, nameOf, sameDictionary, type Change } from './playgroundState.ts';
import { glanceOf, largestOf } from './traces.ts';

/** The latents that are steered, each with how and how much. */
export function ChangeList({
  changes,
  found,
  change,
}: {
  changes: readonly Change[];
  found: TextOnModel | undefined;
  change: (changes: Change[]) => void;
}) {
  return (
    <ul className={styles.list}>
      {changes.map((one, at) => (
        <ChangeRow
          key={latentNameOf(one)}
          one={one}
          found={found}
          change={(changed) => change(changes.map((other, i) => (i === at ? changed : other)))}
          remove={() => change(changes.filter((_, i) => i !== at))}
        />
      ))}
    </ul>
  );
}

function ChangeRow({
  one,
  found,
  change,
  remove,
}: {
  one: Change;
  found: TextOnModel | undefined;
  change: (one: Change) => void;
  remove: () => void;
}) {
  const id = useId();
  const dictionary = found?.dictionaries.find((other) => sameDictionary(one, other));
  const glance = dictionary && glanceOf(dictionary, one.latent);
  const trace = dictionary?.traces.find(({ latent }) => latent === one.latent);
  const usual = glance?.maxActivation ?? (trace ? largestOf(trace) : 0);
  // Twice the largest activation on held-out text is far; a value from an address may be further.
  const most = Math.max(2 * usual, Math.abs(one.value), 1);
  const least = one.kind === 'add' ? -most : 0;
  const name = `latent ${one.latent} of ${nameOf(one)}`;
  return (
    <li className={styles.row}>
      <span className={styles.name}>
        <span className="xs muted">
          {one.run}, seed {one.seed}
        </span>
        <LatentLabel run={one.run} seed={one.seed} latent={one.latent} glance={glance} />
      </span>
      <Segmented
        label={`What is done to ${name}`}
        value={one.kind}
        options={[
          { value: 'clamp', name: 'Clamp' },
          { value: 'add', name: 'Add' },
          { value: 'ablate', name: 'Ablate' },
        ]}
        change={(kind) => change({ ...one, kind })}
      />
      {one.kind === 'ablate' ? (
        <span className="small muted">held at 0</span>
      ) : (
        <span className={styles.amount}>
          <input
            id={id}
            type="range"
            min={least}
            max={most}
            step={most / 100}
            value={one.value}
            aria-label={`Activation ${one.kind === 'add' ? 'added to' : 'of'} ${name}`}
            onChange={(event) => change({ ...one, value: rounded(Number(event.target.value)) })}
          />
          <AmountField one={one} name={name} change={change} />
          <span className="xs muted num">
            {usual > 0 ? `largest on held-out text ${significant(usual, 3)}` : 'not indexed'}
          </span>
        </span>
      )}
      <button type="button" className="button quiet" aria-label={`Don’t steer ${name}`} onClick={remove}>
        <Icon name="close" />
      </button>
    </li>
  );
}

/** Typed exactly; takes effect when the field is left or Enter is pressed. */
function AmountField({ one, name, change }: { one: Change; name: string; change: (one: Change) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  const take = () => {
    const value = Number((typed ?? '').replace(',', '.').replace('−', '-'));
    if (typed !== null && typed.trim() !== '' && Number.isFinite(value)) change({ ...one, value });
    setTyped(null);
  };
  return (
    <input
      type="text"
      inputMode="decimal"
      className={`field num ${styles.number}`}
      aria-label={`Value for ${name}`}
      autoComplete="off"
      value={typed ?? String(one.value)}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={take}
      onKeyDown={(event) => event.key === 'Enter' && take()}
    />
  );
}

const rounded = (value: number) => Number(value.toPrecision(4));
