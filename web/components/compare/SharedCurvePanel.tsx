'use client';
import { sharedCurveTable } from '../../../sae/spec/tables/sharedCurve.ts';
import type { ComparisonDetail } from '../../../server/client.ts';
import { chanceAt, chanceColour, curveAt, sharedCurve, sharedCurveLines } from '../../charts/sharedCurve.ts';
import { csvText } from '../../client/saveCsv.ts';
import { count, percent } from '../../format/number.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Command } from '../ui/Command.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import styles from './SharedCurvePanel.module.css';
import { SimilarityFigure } from './SimilarityFigure.tsx';

const reference = ({ run, seed }: ComparisonDetail['manifest']['a']) => `${run}/${seed}`;

/** The curve of the shared fraction, with a slider for the threshold. */
export function SharedCurvePanel({
  detail,
  threshold,
  change,
}: {
  detail: ComparisonDetail;
  threshold: number;
  change: (threshold: number) => void;
}) {
  const { manifest, curve } = detail;
  const here = curveAt(curve, threshold);
  const chance = here && chanceAt(here);
  // Dictionaries too wide to be drawn at random again and again, and old comparisons, have a bound instead.
  const atMost =
    detail.isotropicChance !== null ||
    (manifest.chance?.covariance ?? manifest.chance?.isotropic)?.extrapolated;
  return (
    <Panel
      title="How alike is alike enough?"
      note="Drag the line, or focus it and use ← →. Headline, pairs, orphans and map follow."
    >
      <div className={styles.grid}>
        <ChartFigure
          bare
          title="Shared fraction against the threshold"
          name={`${manifest.name}-shared-curve`}
          csv={sharedCurveCsv}
          height={300}
          data={curve}
          draw={sharedCurve}
          legend={
            <Legend
              items={[
                ...sharedCurveLines.map((line) => ({
                  name: line.name,
                  colour: line.colour,
                  dash: line.dash,
                })),
                ...(chance === undefined || chance === null
                  ? []
                  : [{ name: 'decoder matching by chance', colour: chanceColour, shape: 'block' as const }]),
              ]}
            />
          }
          overlay={
            <div className={styles.overlay}>
              <span className={styles.rule} style={{ left: `${threshold * 100}%` }} aria-hidden="true">
                <span className={styles.handle} data-side={threshold > 0.8 ? 'left' : 'right'}>
                  {threshold.toFixed(2)}
                </span>
              </span>
              <input
                type="range"
                className={styles.range}
                min={0}
                max={1}
                step={0.01}
                value={threshold}
                aria-label="Cosine threshold"
                aria-valuetext={`${threshold.toFixed(2)}: ${percent(here?.shared)} shared`}
                onChange={(event) => change(Number(event.target.value))}
              />
            </div>
          }
        />
        <div className={styles.numbers}>
          <p className="small muted">
            At a threshold of <strong className="num">{threshold.toFixed(2)}</strong>
          </p>
          <dl className="num" aria-live="polite">
            <div>
              <dt>shared</dt>
              <dd className={styles.big}>{percent(here?.shared)}</dd>
              <dd className="xs muted">
                {count(Math.round((here?.shared ?? 0) * manifest.latents))} of {count(manifest.latents)}{' '}
                latents
              </dd>
            </div>
            <div>
              <dt>decoder matching alone</dt>
              <dd>{percent(here?.decoder)}</dd>
              {chance !== undefined && chance !== null && (
                <dd className="xs muted">
                  {atMost ? 'at most ' : ''}
                  {percent(chance)} by chance
                </dd>
              )}
            </div>
            <div>
              <dt>encoder matching alone</dt>
              <dd>{percent(here?.encoder)}</dd>
            </div>
            <div>
              <dt>greedy nearest</dt>
              <dd>{percent(here?.greedy)}</dd>
            </div>
          </dl>
          {threshold !== manifest.threshold && (
            <button type="button" className="button" onClick={() => change(manifest.threshold)}>
              Back to {manifest.threshold}
            </button>
          )}
        </div>
      </div>
      <SimilarityFigure manifest={manifest} curve={curve} threshold={threshold} />
      {detail.isotropicChance && (
        <div className="small muted">
          <p style={{ marginBottom: 'var(--s-2)' }}>
            Chance here is that of random directions without a preference. Directions with the activations’
            covariance come nearer; this adds them, and a p-value for each pair:
          </p>
          <Command
            text={`npx lazyscope compare ${reference(manifest.a)} ${reference(manifest.b)} --name ${manifest.name}`}
          />
        </div>
      )}
    </Panel>
  );
}

const curveColumns = Object.keys(sharedCurveTable) as (keyof typeof sharedCurveTable)[];

function sharedCurveCsv(curve: ComparisonDetail['curve']): string {
  return csvText(
    curveColumns,
    curve.map((point) => curveColumns.map((column) => point[column])),
  );
}
