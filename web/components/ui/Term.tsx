'use client';
import { useId, useRef } from 'react';
import { glossary, type GlossaryKey } from './glossary.ts';
import styles from './Term.module.css';

/** A technical term whose definition appears on tap, hover or keyboard focus. */
export function Term({ of, children }: { of: GlossaryKey; children?: string }) {
  const id = useId();
  const bubble = useRef<HTMLSpanElement>(null);
  const entry = glossary[of];
  const show = (event: { currentTarget: HTMLElement }) => {
    const tip = bubble.current;
    if (!tip) return;
    const { left, bottom, top } = event.currentTarget.getBoundingClientRect();
    tip.showPopover?.();
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(left, window.innerWidth - width - 8))}px`;
    tip.style.top = `${bottom + height + 12 > window.innerHeight ? top - height - 6 : bottom + 6}px`;
  };
  const hide = () => {
    if (bubble.current?.matches(':popover-open')) bubble.current.hidePopover();
  };
  return (
    <span className={styles.term}>
      <button
        type="button"
        className={styles.word}
        aria-describedby={id}
        onMouseEnter={show}
        onMouseLeave={hide}
        onFocus={show}
        onBlur={hide}
        onClick={show}
        onKeyDown={(event) => event.key === 'Escape' && hide()}
      >
        {children ?? entry.term}
      </button>
      <span ref={bubble} id={id} role="tooltip" popover="manual" className={styles.bubble}>
        {entry.meaning}
        {'source' in entry && <span className={styles.source}>{entry.source}</span>}
      </span>
    </span>
  );
}
