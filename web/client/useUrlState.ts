'use client';
import { useCallback, useMemo } from 'react';
import { usePathname, useSearchParams } from 'next/navigation';
import { browserAddress } from './browserAddress.ts';
import { keepAddress } from './keepAddress.ts';

/**
 * State that lives in the address: a table's order, filter and page can be sent to a colleague as a link, and the
 * browser's back button takes a choice back. A value equal to its default is left out, so that plain pages have plain
 * addresses. `within`: milliseconds in which changes of the same thing are one act.
 */
export function useUrlState<State extends Record<string, string>>(
  defaults: State,
): [State, (changes: Partial<State>, within?: number) => void] {
  const parameters = useSearchParams();
  const path = usePathname();
  const state = useMemo(() => {
    const read: Record<string, string> = { ...defaults };
    for (const key of Object.keys(defaults)) read[key] = parameters.get(key) ?? defaults[key] ?? '';
    return read as State;
  }, [parameters, defaults]);

  const change = useCallback(
    (changes: Partial<State>, within?: number) => {
      const next = new URLSearchParams(browserAddress.search());
      for (const [key, value] of Object.entries(changes)) {
        if (value === undefined || value === defaults[key]) next.delete(key);
        else next.set(key, value);
      }
      const query = next.toString();
      keepAddress(query ? `${path}?${query}` : path, Object.keys(changes), { within });
    },
    [path, defaults],
  );
  return [state, change];
}

/** One choice of a chart or a panel, in the address under `key`. A value that an address has and the choice hasn't is the usual one. */
export function useUrlChoice<const Value extends string>(
  key: string,
  values: readonly Value[],
  usual: NoInfer<Value>,
): [Value, (value: Value) => void] {
  const defaults = useMemo((): Record<string, string> => ({ [key]: usual }), [key, usual]);
  const [state, change] = useUrlState(defaults);
  const choose = useCallback((value: Value) => change({ [key]: value }), [change, key]);
  return [values.find((value) => value === state[key]) ?? usual, choose];
}
