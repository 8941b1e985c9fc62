'use client';
import Link from 'next/link';
import type { Counterpart, Example, FeatureDetail } from '../../../server/client.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import { fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import styles from './CounterpartsPanel.module.css';
import { ExampleText } from './ExampleText.tsx';
import { ArchitectureMark, StatusTag } from '../ui/Tag.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

/** The card of the feature itself, shown first for comparison with its counterparts. */
export function OwnCard({ feature }: { feature: FeatureDetail }) {
  const top = feature.examples.find((one) => one.band === 'top')?.examples[0] ?? null;
  return (
    <li className={styles.card} data-own="">
      <div className={styles.head}>
        <strong>
          This one: seed {feature.seed}, latent {feature.latent}
        </strong>
        <span className="xs muted num">density {percent(feature.density, 2)}</span>
      </div>
      <TokenRow tokens={feature.promoted} most={6} />
      <TopExample example={top} />
    </li>
  );
}

export function CounterpartCard({ counterpart }: { counterpart: Counterpart }) {
  const { run, seed, latent, architecture } = counterpart;
  const where = counterpart.sameConfiguration ? `Seed ${seed}` : `${run}, seed ${seed}`;
  return (
    <li className={styles.card}>
      <div className={styles.head}>
        <span className="cluster">
          <ArchitectureMark architecture={architecture} />
          {latent === null ? (
            <strong>{where}</strong>
          ) : (
            <Link href={paths.feature(run, seed, latent)}>
              <strong>
                {where}, latent {latent}
              </strong>
            </Link>
          )}
        </span>
        <StatusTag status={counterpart.shared ? 'shared' : 'not shared'} />
      </div>
      {latent === null ? (
        <p className="small muted">The matching leaves it without a counterpart there.</p>
      ) : (
        <>
          <dl className={styles.cosines}>
            <Cosine
              name="decoder cosine"
              value={counterpart.decoderCosine}
              colour={architectureColour(architecture)}
            />
            <Cosine
              name="encoder cosine"
              value={counterpart.encoderCosine}
              colour={architectureColour(architecture)}
            />
            <Cosine name="correlation" value={counterpart.activationCorrelation} colour="var(--chart-fill)" />
            <Cosine name="Jaccard of firing" value={counterpart.firingJaccard} colour="var(--chart-fill)" />
          </dl>
          {counterpart.label && <p className="small">{counterpart.label}</p>}
          <TokenRow tokens={counterpart.promoted} most={6} />
          <TopExample example={counterpart.topExample} />
        </>
      )}
      <p className="xs muted">
        {counterpart.density !== null && (
          <span className="num">density {percent(counterpart.density, 2)} · </span>
        )}
        by <Link href={paths.comparison(counterpart.comparison)}>{counterpart.comparison}</Link>
      </p>
    </li>
  );
}

function Cosine({ name, value, colour }: { name: string; value: number | null; colour: string }) {
  return (
    <div className={styles.cosine}>
      <dt className="muted">{name}</dt>
      <dd className={styles.track} aria-hidden="true">
        <span
          className={styles.fill}
          style={{ width: `${Math.max(0, value ?? 0) * 100}%`, background: colour }}
        />
      </dd>
      <dd className="num">{fixed(value, 2)}</dd>
    </div>
  );
}

function TopExample({ example }: { example: Example | null }) {
  if (!example) return null;
  return (
    <ExampleText
      tokens={example.tokens}
      activations={example.activations}
      peak={example.position - example.start}
      max={example.activation}
      wrapLines={false}
    />
  );
}
