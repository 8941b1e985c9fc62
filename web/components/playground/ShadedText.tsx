'use client';
import { useRef, type KeyboardEvent } from 'react';
import { significant } from '../../format/number.ts';
import { joinSplitCharacters, lineBreaks, visibleToken } from '../../format/tokenText.ts';
import { Token } from '../ui/Token.tsx';
import styles from './ShadedText.module.css';

/** The text, each token shaded by an activation. One token is chosen; the arrow keys choose its neighbours. */
export function ShadedText({
  label,
  tokens,
  activations,
  leftOut,
  scale,
  position,
  choose,
}: {
  label: string;
  tokens: readonly { id: number; text: string }[];
  activations: readonly number[];
  /** Tokens of which the dictionary says nothing. */
  leftOut: readonly boolean[];
  scale: number;
  position: number;
  choose: (position: number) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const texts = joinSplitCharacters(tokens.map((token) => token.text));
  const breaks = lineBreaks(texts);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = Math.max(0, Math.min(tokens.length - 1, position + step));
    choose(next);
    place.current?.querySelectorAll<HTMLElement>('button')[next]?.focus();
  };
  return (
    <div ref={place} className={styles.text} role="group" aria-label={label} onKeyDown={move}>
      {texts.map((text, at) => {
        const activation = activations[at] ?? 0;
        const share = scale > 0 ? Math.min(1, activation / scale) : 0;
        return (
          <span key={at}>
            <button
              type="button"
              className={styles.token}
              style={share > 0 ? { backgroundColor: shade(share) } : undefined}
              data-left-out={leftOut[at] || undefined}
              aria-pressed={at === position}
              aria-label={`${visibleToken(text)}${activation > 0 ? `, ${significant(activation, 3)}` : ''}`}
              title={
                leftOut[at] ? 'left out of training' : activation > 0 ? significant(activation, 4) : undefined
              }
              tabIndex={at === position ? 0 : -1}
              onClick={() => choose(at)}
            >
              <Token running text={text} />
            </button>
            {breaks[at] && <br />}
          </span>
        );
      })}
    </div>
  );
}

/** Never fainter than a fifth: a weak activation is still an activation. */
function shade(share: number): string {
  return `color-mix(in oklab, var(--heat) ${Math.round(18 + 82 * share)}%, transparent)`;
}
