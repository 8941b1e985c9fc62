'use client';
import { useEffect, useState } from 'react';
import { useUrlState } from '../../client/useUrlState.ts';

/** Pages of tables begin anew: at another threshold they have other rows. */
const defaults = { threshold: '', offset: '0', orphanOffset: '0' };
/** Milliseconds that the slider rests before the page follows it. */
const rest = 150;
/** Milliseconds within which moves of the slider are one entry of the history. */
const oneDrag = 5_000;

export interface Threshold {
  /** What the address says, or the comparison's own. */
  threshold: number;
  /** Where the slider is, which the page follows once it rests. */
  dragged: number;
  change: (threshold: number) => void;
}

/** The cosine threshold of a comparison's page. Its own one isn't in the address. */
export function useThreshold(own: number): Threshold {
  const [state, set] = useUrlState(defaults);
  const asked = state.threshold === '' ? NaN : Number(state.threshold);
  const threshold = asked >= 0 && asked <= 1 ? asked : own;
  const [dragged, setDragged] = useState<number | null>(null);
  // The address follows a moment after it was set: until then the slider stays where it was left.
  const [seen, setSeen] = useState(threshold);
  if (seen !== threshold) {
    setSeen(threshold);
    if (dragged === threshold) setDragged(null);
  }
  useEffect(() => {
    if (dragged === null) return;
    const timer = setTimeout(() => {
      if (dragged === threshold) setDragged(null);
      else
        set({ threshold: dragged === own ? '' : String(dragged), offset: '0', orphanOffset: '0' }, oneDrag);
    }, rest);
    return () => clearTimeout(timer);
  }, [dragged, threshold, own, set]);
  return { threshold, dragged: dragged ?? threshold, change: setDragged };
}
