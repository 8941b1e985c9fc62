/**
 * Components in a document, and what a person does with them, for tests in Vitest's jsdom environment. Only what Next
 * gives a page is replaced: its address, which these components read through Next's contexts, is the document's own.
 */
import {
  PathnameContext,
  SearchParamsContext,
} from 'next/dist/shared/lib/hooks-client-context.shared-runtime.js';
import { AppRouterContext } from 'next/dist/shared/lib/app-router-context.shared-runtime.js';
import { act, useEffect, useMemo, useState, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach } from 'vitest';

Object.assign(globalThis, {
  IS_REACT_ACT_ENVIRONMENT: true,
  // jsdom has no layout, so nothing ever changes its size.
  ResizeObserver: class {
    observe() {}
    disconnect() {}
  },
});

let roots: Root[] = [];
afterEach(async () => {
  await act(async () => roots.forEach((root) => root.unmount()));
  roots = [];
  document.body.replaceChildren();
});

/** Puts the element into a place of its own in the document, until the end of the test. */
export async function rendered(element: ReactNode): Promise<HTMLElement> {
  const place = document.createElement('main');
  document.body.append(place);
  const root = createRoot(place);
  roots.push(root);
  await act(async () => root.render(<AtAddress>{element}</AtAddress>));
  return place;
}

/** What the components are told of the address, as Next's own router tells it when the history changes. */
function AtAddress({ children }: { children: ReactNode }) {
  const [query, setQuery] = useState(window.location.search);
  useEffect(() => {
    const { pushState, replaceState } = window.history;
    const followed = (change: typeof pushState): typeof pushState =>
      function (this: History, ...given) {
        change.apply(this, given);
        setQuery(window.location.search);
      };
    window.history.pushState = followed(pushState);
    window.history.replaceState = followed(replaceState);
    return () => {
      window.history.pushState = pushState;
      window.history.replaceState = replaceState;
    };
  }, []);
  const parameters = useMemo(() => new URLSearchParams(query), [query]);
  return (
    <AppRouterContext.Provider value={router}>
      <PathnameContext.Provider value={window.location.pathname}>
        <SearchParamsContext.Provider value={parameters}>{children}</SearchParamsContext.Provider>
      </PathnameContext.Provider>
    </AppRouterContext.Provider>
  );
}

const goTo = (address: string) => window.history.pushState(null, '', address);
const router = {
  push: goTo,
  replace: goTo,
  back: () => window.history.back(),
  forward: () => window.history.forward(),
  refresh: () => {},
  prefetch: () => {},
  experimental_gesturePush: goTo,
  bfcacheId: '0',
};

export function find<Kind extends HTMLElement = HTMLElement>(place: ParentNode, selector: string): Kind {
  const found = place.querySelector<Kind>(selector);
  if (!found) throw new Error(`There is no ${selector} in: ${document.body.textContent}`);
  return found;
}

export function textsOf(place: ParentNode, selector: string): string[] {
  return [...place.querySelectorAll(selector)].map((element) => element.textContent ?? '');
}

/** The rows of a table's body, cell by cell. */
export function cellsOf(place: ParentNode): string[][] {
  return [...place.querySelectorAll('tbody tr')].map((row) => textsOf(row, 'td'));
}

export async function click(element: HTMLElement): Promise<void> {
  await act(async () => element.click());
}

export async function press(element: HTMLElement, key: string): Promise<void> {
  await act(async () => {
    element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  });
}

/** Replaces what a field holds, as typing does. */
export async function type(field: HTMLElement, text: string): Promise<void> {
  const kind =
    field instanceof HTMLTextAreaElement
      ? HTMLTextAreaElement
      : field instanceof HTMLSelectElement
        ? HTMLSelectElement
        : HTMLInputElement;
  // React overrides the property on the element to notice changes by code; a person's typing goes past that.
  const set = Object.getOwnPropertyDescriptor(kind.prototype, 'value')?.set;
  await act(async () => {
    set?.call(field, text);
    field.dispatchEvent(new Event(kind === HTMLSelectElement ? 'change' : 'input', { bubbles: true }));
  });
}

/** Waits until the condition holds; fails with what the document says. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come to pass: ${document.body.textContent}`);
    await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
  }
}
