'use client';
import { useState } from 'react';
import { figures, significant } from '../../format/number.ts';
import { joinSplitCharacters, lineBreaks, visibleToken } from '../../format/tokenText.ts';
import styles from './ExampleText.module.css';
import { Token } from '../ui/Token.tsx';

/**
 * A stretch of text with each token shaded by the latent's activation there, relative to `max`. The gutter holds
 * the activation at the peak, which is underlined; point at a token (or tap it) and it holds that token's.
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
  const value = activations[shown] ?? 0;
  const texts = joinSplitCharacters(tokens.map((token) => token.text));
  const breaks = wrapLines ? lineBreaks(texts) : [];
  return (
    <div className={styles.example} data-chosen={chosen === null ? undefined : ''}>
      <span
        className={`${styles.value} num`}
        title={`activation on “${visibleToken(tokens[shown]?.text ?? '')}”`}
      >
        {value === 0 ? '0' : figures(value, 4)}
      </span>
      <p className={styles.text} onMouseLeave={() => setChosen(null)}>
        {tokens.map((_, index) => {
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
                {/* A stretch begins at the edge: the space before its first word is no part of the text shown. */}
                <Token running text={index === 0 ? texts[0].replace(/^ +(?=\S)/, '') : texts[index]} />
              </span>
              {breaks[index] && <br />}
            </span>
          );
        })}
      </p>
    </div>
  );
}

/** Never fainter than a fifth: a weak activation is still an activation. */
function shade(share: number): string {
  return `color-mix(in oklab, var(--heat) ${Math.round(18 + 82 * share)}%, transparent)`;
}
