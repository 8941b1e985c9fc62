'use client';
import { useEffect, useState } from 'react';

/** What time it is, to the quarter of a minute: “4 min ago” must not go stale on a page that stays open. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 15_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
