'use client';
import { useEffect, useState } from 'react';
import { featureTableDefaults, type FeatureTableState } from './featureQuery.ts';
import styles from './FeatureFilters.module.css';
import { Segmented } from '../ui/Segmented.tsx';

export function FeatureFilters({
  state,
  change,
}: {
  state: FeatureTableState;
  change: (changes: Partial<FeatureTableState>) => void;
}) {
  const filtered = (['alive', 'token', 'least', 'most', 'stability', 'labelled'] as const).some(
    (key) => state[key] !== featureTableDefaults[key],
  );
  return (
    <div className={styles.filters} role="search" aria-label="Filter latents">
      <TypedField
        className={`field ${styles.token}`}
        type="search"
        label="Find in examples, tokens and labels, or #latent"
        placeholder="word, phrase, label, or #latent"
        value={state.token}
        change={(token) => change({ token })}
      />
      <Segmented
        label="Stability"
        value={state.stability}
        options={[
          { value: 'any', name: 'Any' },
          { value: 'shared', name: 'In every seed' },
          { value: 'orphan', name: 'Orphans' },
        ]}
        change={(stability) => change({ stability })}
      />
      <Segmented
        label="Live or dead"
        value={state.alive}
        options={[
          { value: 'live', name: 'Live' },
          { value: 'dead', name: 'Dead' },
          { value: 'all', name: 'All' },
        ]}
        change={(alive) => change({ alive })}
      />
      <Segmented
        label="With or without a label"
        value={state.labelled}
        options={[
          { value: 'any', name: 'Any' },
          { value: 'yes', name: 'Labelled' },
          { value: 'no', name: 'Not' },
        ]}
        change={(labelled) => change({ labelled })}
      />
      <span className={styles.range}>
        <span className="small muted">Density</span>
        <TypedField
          className={`field ${styles.number}`}
          label="Least density in percent"
          placeholder="0"
          value={state.least}
          change={(least) => change({ least })}
        />
        <span className="muted">–</span>
        <TypedField
          className={`field ${styles.number}`}
          label="Greatest density in percent"
          placeholder="100"
          value={state.most}
          change={(most) => change({ most })}
        />
        <span className="small muted">%</span>
      </span>
      {filtered && (
        <button
          type="button"
          className="button quiet"
          onClick={() =>
            change({ alive: 'live', token: '', least: '', most: '', stability: 'any', labelled: 'any' })
          }
        >
          Clear
        </button>
      )}
    </div>
  );
}

/** A text field whose value takes effect when typing pauses, so that the server isn't queried at every letter. */
function TypedField({
  label,
  value,
  change,
  type = 'text',
  className,
  placeholder,
}: {
  label: string;
  value: string;
  change: (value: string) => void;
  type?: 'text' | 'search';
  className: string;
  placeholder: string;
}) {
  const [typed, setTyped] = useState(value);
  // The address may change without typing: “Clear”, or the browser's back button.
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    setTyped(value);
  }
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => change(typed), 250);
    return () => clearTimeout(timer);
  });
  return (
    <input
      type={type}
      inputMode={type === 'text' ? 'decimal' : 'search'}
      className={className}
      aria-label={label}
      placeholder={placeholder}
      autoComplete="off"
      spellCheck={false}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onKeyDown={(event) => event.key === 'Enter' && change(typed)}
    />
  );
}
