/** Opens the published store that `--data` gives the address of. */
import { join } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { isAddress } from '../../sae/store/remote/address.ts';
import { userCache } from './environment.ts';
import type { Session } from './runCommand.ts';

export interface CacheFlags {
  cache?: string;
  cacheSize?: number;
}

const usualCacheSize = 10e9;

/** Undefined where `--data` is a folder. Throws as CachedStore.open does, and `bad_input` for flags of a cache that there is none of. */
export async function openPublished(
  { options, report, signal }: Session,
  { cache, cacheSize }: CacheFlags,
): Promise<{ root: string; url: string; close: () => Promise<void> } | undefined> {
  const { data } = options;
  if (data === undefined || !isAddress(data)) {
    const flag = cache !== undefined ? '--cache' : cacheSize !== undefined ? '--cache-size' : undefined;
    if (flag !== undefined)
      throw new LazyscopeError(
        'bad_input',
        `${flag} is for a published store: give its address with --data https://…, or leave ${flag} out.`,
      );
    return undefined;
  }
  const { CachedStore } = await import('../../sae/store/remote/cachedStore.ts');
  const { mountRemote } = await import('../../sae/store/remote/bringIn.ts');
  const store = await CachedStore.open({
    url: data,
    caches: cache ?? join(userCache, 'stores'),
    mostBytes: cacheSize ?? usualCacheSize,
    report,
    signal,
  });
  const unmount = mountRemote(store);
  return {
    root: store.root,
    url: store.url,
    close: async () => {
      unmount();
      await store.close();
    },
  };
}
