'use client';
import { useCallback, useMemo } from 'react';
import { usePathname, useSearchParams } from 'next/navigation';

/**
 * State that lives in the address: a table's order, filter and page can be sent to a colleague as a link.
 * A value equal to its default is left out, so that plain pages have plain addresses.
 */
export function useUrlState<State extends Record<string, string>>(
  defaults: State,
): [State, (changes: Partial<State>) => void] {
  const parameters = useSearchParams();
  const path = usePathname();
  const state = useMemo(() => {
    const read: Record<string, string> = { ...defaults };
    for (const key of Object.keys(defaults)) read[key] = parameters.get(key) ?? defaults[key] ?? '';
    return read as State;
  }, [parameters, defaults]);

  const change = useCallback(
    (changes: Partial<State>) => {
      const next = new URLSearchParams(window.location.search);
      for (const [key, value] of Object.entries(changes)) {
        if (value === undefined || value === defaults[key]) next.delete(key);
        else next.set(key, value);
      }
      const query = next.toString();
      // The router follows the history; going through it would ask the server for a page that has not changed.
      window.history.replaceState(null, '', query ? `${path}?${query}` : path);
    },
    [path, defaults],
  );
  return [state, change];
}
