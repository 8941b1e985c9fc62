'use client';
import { useState, type KeyboardEvent } from 'react';
import { figures, significant } from '../../format/number.ts';
import { joinSplitCharacters, lineBreaks, visibleToken } from '../../format/tokenText.ts';
import styles from './ExampleText.module.css';
import { Token } from '../ui/Token.tsx';

/**
 * A stretch of text with each token shaded by the latent's activation there, relative to `max`. The gutter holds
 * the activation at the peak, which is underlined; point at a token (or tap it, or move to it by the arrow keys) and it
 * holds that token's. An example is one stop of the Tab key.
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
  const move = (event: KeyboardEvent<HTMLElement>) => {
    const to = { ArrowRight: shown + 1, ArrowLeft: shown - 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (to === undefined) return;
    // On the page of a latent these keys lead to its neighbours.
    event.preventDefault();
    event.stopPropagation();
    const next = Math.max(0, Math.min(tokens.length - 1, to));
    setChosen(next);
    event.currentTarget.querySelectorAll<HTMLElement>('[role=button]')[next]?.focus();
  };
  return (
    <div className={styles.example} data-chosen={chosen === null ? undefined : ''}>
      <span
        className={`${styles.value} num`}
        title={`activation on “${visibleToken(tokens[shown]?.text ?? '')}”`}
      >
        {value === 0 ? '0' : figures(value, 4)}
      </span>
      <p
        className={styles.text}
        onMouseLeave={() => setChosen(null)}
        onBlur={() => setChosen(null)}
        onKeyDown={move}
      >
        {tokens.map((_, index) => {
          const activation = activations[index] ?? 0;
          const share = max > 0 ? Math.max(0, Math.min(1, activation / max)) : 0;
          return (
            <span key={index}>
              <span
                className={index === peak ? `${styles.token} ${styles.peak}` : styles.token}
                style={share > 0 ? { backgroundColor: shade(share) } : undefined}
                title={activation > 0 ? significant(activation, 4) : undefined}
                role="button"
                tabIndex={index === shown ? 0 : -1}
                aria-label={`${visibleToken(texts[index])}, ${activation === 0 ? '0' : figures(activation, 4)}`}
                onFocus={() => setChosen(index)}
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
