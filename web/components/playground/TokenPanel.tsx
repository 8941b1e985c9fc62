'use client';
import type { DictionaryOnText, TextOnModel } from '../../../server/client.ts';
import { figures, fixed, percent } from '../../format/number.ts';
import { visibleToken } from '../../format/tokenText.ts';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';
import { Token } from '../ui/Token.tsx';
import { LatentLabel } from './LatentLabel.tsx';
import { ProbabilityBars } from './ProbabilityBars.tsx';
import { nameOf } from './playgroundState.ts';
import { glanceOf } from './traces.ts';
import styles from './TokenPanel.module.css';

/** What fires on one token, and what the model expects after it. */
export function TokenPanel({ found, position }: { found: TextOnModel; position: number }) {
  const token = found.tokens[position];
  const likely = found.predictions[position] ?? [];
  const surprisal = found.surprisal[position];
  return (
    <Panel
      title={
        <>
          On “<Token text={token?.text ?? ''} />”
        </>
      }
      note={
        surprisal === null || surprisal === undefined
          ? `Token ${position + 1} of ${found.tokens.length}, the first.`
          : `Token ${position + 1} of ${found.tokens.length}; the model gave it ${percent(Math.exp(-surprisal))} (${fixed(surprisal, 2)} nats).`
      }
    >
      <div className={styles.parts}>
        {found.dictionaries.map((dictionary) => (
          <section key={nameOf(dictionary)} aria-label={`Strongest latents of ${nameOf(dictionary)}`}>
            <h3 className={styles.head}>
              {dictionary.run}, seed {dictionary.seed}
            </h3>
            <Strongest dictionary={dictionary} position={position} />
          </section>
        ))}
        <section aria-label="Next token">
          <h3 className={styles.head}>Next token after “{visibleToken(token?.text ?? '')}”</h3>
          <ProbabilityBars
            rows={likely.map(({ id, text, probability }) => ({ id, text, probabilities: [probability] }))}
            names={['probability']}
          />
        </section>
      </div>
    </Panel>
  );
}

function Strongest({ dictionary, position }: { dictionary: DictionaryOnText; position: number }) {
  const strongest = dictionary.strongest[position] ?? [];
  const largest = strongest[0]?.activation ?? 0;
  if (dictionary.leftOut[position])
    return (
      <p className="small muted">
        Training left such rows out (the first positions of a context, or a norm far above the median), so the
        dictionary says nothing of it.
      </p>
    );
  return (
    <>
      <p className="xs muted num">
        <Term of="l0" /> {dictionary.l0[position]} · unexplained {percent(dictionary.error[position])} of ‖x‖²
      </p>
      <ol className={styles.bars}>
        {strongest.map(({ latent, activation }) => (
          <li key={latent} className={styles.item}>
            <LatentLabel
              run={dictionary.run}
              seed={dictionary.seed}
              latent={latent}
              glance={glanceOf(dictionary, latent)}
            />
            <span className={styles.track} aria-hidden="true">
              <span
                className={styles.bar}
                style={{ width: `${largest > 0 ? (activation / largest) * 100 : 0}%` }}
              />
            </span>
            <span className={`${styles.value} num`}>{figures(activation)}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
