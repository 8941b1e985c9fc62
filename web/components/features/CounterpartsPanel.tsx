'use client';
import type { FeatureDetail } from '../../../server/client.ts';
import { CounterpartCard, OwnCard } from './CounterpartCard.tsx';
import styles from './CounterpartsPanel.module.css';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';

/** The feature beside its counterparts by the optimal matching in all dictionaries that its own was compared with. */
export function CounterpartsPanel({ feature }: { feature: FeatureDetail }) {
  const seeds = feature.counterparts.filter((one) => one.sameConfiguration);
  const others = feature.counterparts.filter((one) => !one.sameConfiguration);
  return (
    <Panel
      id="counterparts"
      title="The same feature in other seeds?"
      note={
        <>
          Its counterpart in the best one-to-one matching of decoder rows; <Term of="shared" /> when the
          encoder rows agree.
        </>
      }
    >
      {feature.counterparts.length === 0 ? (
        <EmptyState
          title="Not compared with another dictionary yet"
          command={`npx lazyscope compare ${feature.run}`}
        />
      ) : (
        <div className="stack">
          {seeds.length > 0 && (
            <ul className={styles.cards}>
              <OwnCard feature={feature} />
              {seeds.map((one) => (
                <CounterpartCard key={`${one.comparison} ${one.run} ${one.seed}`} counterpart={one} />
              ))}
            </ul>
          )}
          {others.length > 0 && (
            <>
              <h3>In dictionaries of other configurations</h3>
              <ul className={styles.cards}>
                {seeds.length === 0 && <OwnCard feature={feature} />}
                {others.map((one) => (
                  <CounterpartCard key={`${one.comparison} ${one.run} ${one.seed}`} counterpart={one} />
                ))}
              </ul>
            </>
          )}
        </div>
      )}
    </Panel>
  );
}
