'use client';
import { useEffect, useState } from 'react';
import { useUrlState } from '../../client/useUrlState.ts';

/** Pages of tables begin anew: at another threshold they have other rows. */
const defaults = { threshold: '', offset: '0', orphanOffset: '0' };
/** Milliseconds that the slider rests before the page follows it. */
const rest = 150;

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
  const [dragged, setDragged] = useState<number | null>(null);
  const asked = state.threshold === '' ? NaN : Number(state.threshold);
  const threshold = asked >= 0 && asked <= 1 ? asked : own;
  useEffect(() => {
    if (dragged === null) return;
    const timer = setTimeout(() => {
      set({ threshold: dragged === own ? '' : String(dragged), offset: '0', orphanOffset: '0' });
      setDragged(null);
    }, rest);
    return () => clearTimeout(timer);
  }, [dragged, own, set]);
  return { threshold, dragged: dragged ?? threshold, change: setDragged };
}
