'use client';
import { useState } from 'react';
import { significant } from '../format/number.ts';
import { endsLine, visibleToken } from '../format/tokenText.ts';
import styles from './ExampleText.module.css';
import { Token } from './Token.tsx';

/**
 * A stretch of text with each token shaded by the latent's activation there, relative to `max`. Point at a token
 * (or tap it) to read its exact value; the peak is underlined.
 */
export function ExampleText({
  tokens,
  activations,
  peak,
  max,
  wrapLines = true,
}: {
  tokens: readonly { id: number; text: string }[];
  activations: readonly number[];
  /** Index of the strongest token. */
  peak: number;
  max: number;
  /** Break where the text broke; off in tight places. */
  wrapLines?: boolean;
}) {
  const [chosen, setChosen] = useState<number | null>(null);
  const shown = chosen ?? peak;
  return (
    <div className={styles.example}>
      <p className={styles.text} onMouseLeave={() => setChosen(null)}>
        {tokens.map((token, index) => {
          const activation = activations[index] ?? 0;
          const share = max > 0 ? Math.max(0, Math.min(1, activation / max)) : 0;
          return (
            <span key={index}>
              <span
                className={index === peak ? `${styles.token} ${styles.peak}` : styles.token}
                style={share > 0 ? { backgroundColor: shade(share) } : undefined}
                title={activation > 0 ? significant(activation, 4) : undefined}
                onMouseEnter={() => setChosen(index)}
                onClick={() => setChosen(index)}
              >
                <Token text={token.text} />
              </span>
              {wrapLines && endsLine(token.text) && <br />}
            </span>
          );
        })}
      </p>
      <p className={styles.value} aria-live="off">
        <span className="mono">{visibleToken(tokens[shown]?.text ?? '')}</span>{' '}
        <span className="num">{significant(activations[shown] ?? 0, 4)}</span>
      </p>
    </div>
  );
}

/** Never fainter than a fifth: a weak activation is still an activation. */
function shade(share: number): string {
  return `color-mix(in oklab, var(--heat) ${Math.round(18 + 82 * share)}%, transparent)`;
}
