/** The explorer's address after the `#` of the site's, so that a host of plain files needs to know of one page only. Stands for web/client/browserAddress.ts. */

/** Told of every change that isn't the browser's own. */
const changed = new EventTarget();

const current = (): URL => new URL(window.location.hash.slice(1) || '/', 'http://site');

export const browserAddress = {
  path: () => current().pathname,
  search: () => current().search,
  push: (address: string) => {
    window.history.pushState(null, '', `#${address}`);
    changed.dispatchEvent(new Event('change'));
  },
  replace: (address: string) => {
    window.history.replaceState(null, '', `#${address}`);
    changed.dispatchEvent(new Event('change'));
  },
};

/** Calls `listen` after each change of the address, until what it returns is called. */
export function watchAddress(listen: () => void): () => void {
  changed.addEventListener('change', listen);
  window.addEventListener('popstate', listen);
  window.addEventListener('hashchange', listen);
  return () => {
    changed.removeEventListener('change', listen);
    window.removeEventListener('popstate', listen);
    window.removeEventListener('hashchange', listen);
  };
}
