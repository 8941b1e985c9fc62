'use client';
import { useEffect, useState } from 'react';

/** A value as it was when it last stayed the same for a moment, so that the server isn't asked at every letter. */
export function usePaused<Value extends string>(value: Value, pause = 250): Value {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), pause);
    return () => clearTimeout(timer);
  }, [value, pause]);
  return paused;
}
