'use client';
import { useEffect, useState } from 'react';

/** The current time, updated every 15 seconds, so that “4 min ago” stays right on a page that is left open. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 15_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
