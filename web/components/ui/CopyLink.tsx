'use client';
import { useState } from 'react';
import { Icon } from './Icon.tsx';

/** Copies the page's address, which holds what was chosen on it: order, filters, threshold, colouring. */
export function CopyLink() {
  const [state, setState] = useState<'ready' | 'copied' | 'refused'>('ready');
  return (
    <button
      type="button"
      className="button quiet"
      onClick={async () => {
        // Browsers offer the clipboard to pages of this machine and of https alone, and people can forbid it.
        const copied = await navigator.clipboard?.writeText(window.location.href).then(
          () => true,
          () => false,
        );
        setState(copied ? 'copied' : 'refused');
        setTimeout(() => setState('ready'), 2_500);
      }}
    >
      <Icon name={state === 'copied' ? 'check' : 'link'} />
      <span aria-live="polite">{words[state]}</span>
    </button>
  );
}

const words = {
  ready: 'Copy link',
  copied: 'Copied',
  refused: 'Copy it from the address bar',
};
