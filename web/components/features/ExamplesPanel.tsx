'use client';
import { useState } from 'react';
import type { FeatureDetail } from '../../../server/client.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { bandName } from './bandName.ts';
import { ExampleText } from './ExampleText.tsx';
import styles from './ExamplesPanel.module.css';
import { Panel } from '../ui/Panel.tsx';
import { StoredTableLinks } from '../ui/StoredTableLinks.tsx';
import { Segmented } from '../ui/Segmented.tsx';

/** Stretches of text where the latent fires: its strongest, or a sample of each fifth of its range, which shows whether weak activations mean the same. */
export function ExamplesPanel({ feature }: { feature: FeatureDetail }) {
  const bands = feature.examples;
  const [band, setBand] = useUrlChoice(
    'band',
    bands.map((one) => one.band),
    'top',
  );
  const [all, setAll] = useState(false);
  const shown = bands.find((one) => one.band === band) ?? bands[0];
  const examples = shown ? (all ? shown.examples : shown.examples.slice(0, 8)) : [];
  return (
    <Panel
      title="Examples"
      note="Held-out text; shade is activation relative to the strongest. Point at a token for its value."
      actions={
        bands.length > 1 && (
          <Segmented
            label="Band of examples, by share of the strongest activation"
            value={shown?.band ?? 'top'}
            options={bands.map((one) => ({ value: one.band, name: bandName(one.band) }))}
            change={setBand}
          />
        )
      }
    >
      {examples.length === 0 ? (
        <p className="small muted">
          {feature.dead
            ? 'It fires on no held-out token, so there is nothing to show.'
            : 'No example was kept.'}
        </p>
      ) : (
        <>
          <ol className={styles.list}>
            {examples.map((example) => (
              <li key={`${example.context} ${example.position}`} className={styles.item}>
                <ExampleText
                  tokens={example.tokens}
                  activations={example.activations}
                  peak={example.position - example.start}
                  max={feature.maxActivation}
                />
              </li>
            ))}
          </ol>
          {shown && shown.examples.length > examples.length && (
            <button type="button" className="button" onClick={() => setAll(true)}>
              Show all {shown.examples.length}
            </button>
          )}
          <StoredTableLinks
            tables={['examples']}
            of={{ run: feature.run, seed: feature.seed, latent: feature.latent }}
          />
        </>
      )}
    </Panel>
  );
}
