'use client';
import type { FeatureDetail } from '../../../server/client.ts';
import { activationHistogram } from '../../charts/activationHistogram.ts';
import { csvText } from '../../client/saveCsv.ts';
import { count } from '../../format/number.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Token } from '../ui/Token.tsx';
import styles from './ActivationPanel.module.css';

export function ActivationPanel({ feature }: { feature: FeatureDetail }) {
  return (
    <Panel title="When it fires">
      <div className={styles.grid}>
        {!feature.dead && (
          <ChartFigure
            title="Activation histogram"
            name={`${feature.run}-${feature.seed}-${feature.latent}-activations`}
            height={180}
            csv={(counts) =>
              csvText(
                ['from activation', 'to', 'firings'],
                counts.map((firings, bin) =>
                  [bin, bin + 1]
                    .map((edge) => (edge * feature.maxActivation) / counts.length)
                    .concat(firings),
                ),
              )
            }
            data={feature.histogram}
            draw={(counts, size) => activationHistogram(counts, { ...size, max: feature.maxActivation })}
          />
        )}
        <div>
          <h3>Most often on</h3>
          <ul className={styles.tokens}>
            {feature.topTokens.map((token, index) => (
              <li key={`${token.id} ${index}`}>
                <Token text={token.text} />
                <span className="num xs muted">{count(token.count)}</span>
              </li>
            ))}
            {feature.topTokens.length === 0 && <li className="muted">no token</li>}
          </ul>
        </div>
      </div>
    </Panel>
  );
}
