/** What the explorer's components use of next/navigation, for the published site, which has no server to render pages. */
import { useMemo, useSyncExternalStore } from 'react';
import { browserAddress, watchAddress } from './hashAddress.ts';

export function usePathname(): string {
  return useSyncExternalStore(watchAddress, browserAddress.path);
}

export function useSearchParams(): URLSearchParams {
  const search = useSyncExternalStore(watchAddress, browserAddress.search);
  return useMemo(() => new URLSearchParams(search), [search]);
}

const router = {
  push(address: string, { scroll = true }: { scroll?: boolean } = {}) {
    browserAddress.push(address);
    if (scroll) window.scrollTo(0, 0);
  },
};

export function useRouter(): typeof router {
  return router;
}
